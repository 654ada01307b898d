package source

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// Feed is what a projection reads: a [Source], of which it keeps the position, or a [Group], which keeps it itself.
type Feed interface {
	// String names what is read, see [Source].
	String() string
	// Head returns the position of the last event there is now; the start if there is none.
	Head(ctx context.Context) (checkpoint.Position, error)
}

// Group is a part of an event log that shares its events among consumers, wherever they are, and keeps the position itself:
// competing consumers. Every event is delivered at least once; in which order is up to the log. It holds no connection of
// its own and is safe for concurrent use.
type Group interface {
	Feed
	// Consume joins the group. The log delivers no more than limit events that are not answered yet. The error is
	// [ErrRefused] if there is no such group and it was not to be made.
	Consume(ctx context.Context, limit int) (Consumer, error)
}

// ManagedGroup is a group that can be looked after from here.
type ManagedGroup interface {
	Group
	// Parked names the stream of the events that the group has parked.
	Parked() string
	// Replay has the parked events delivered again.
	Replay(ctx context.Context) error
	// Waits reports whether the group has something that it could deliver, or has delivered, to anybody, and not got an
	// answer to. Not every log tells: then it is an error.
	Waits(ctx context.Context) (bool, error)
	// Delete deletes the group with its position and what it has parked. It is no error if there is none.
	Delete(ctx context.Context) error
}

// Consumer is one member of a [Group]. It survives reconnects by itself; what was not answered before one is delivered
// again, perhaps to another consumer. Next is used by one goroutine at a time, everything else by any.
type Consumer interface {
	// Next waits for deliveries. After an error, other than that of ctx, the consumer has ended.
	Next(ctx context.Context) ([]Delivery, error)
	// Ack says that events were handled. It does not wait; an answer that is lost, or names what is not delivered, does
	// nothing.
	Ack(receipts ...uuid.UUID)
	// Nak says that events were not handled, what is to become of them, and why. It does not wait either.
	Nak(action NakAction, reason string, receipts ...uuid.UUID)
	// Flush waits until the log has seen what was answered before.
	Flush(ctx context.Context) error
	// Timeout is how long an event may go without an answer before it is delivered again; 0 = not known.
	Timeout() time.Duration
	// Close leaves the group. What has no answer is delivered again, to another consumer or the next.
	Close() error
}

// Delivery is an event that wants an answer.
type Delivery struct {
	Event
	Receipt uuid.UUID // names it in the answer; the same when it is delivered again
	Retry   int       // deliveries before this one, as far as the log counts them
}

// NakAction is what becomes of an event that was not handled.
type NakAction uint8

// The actions.
const (
	NakPark  NakAction = iota + 1 // the log puts it aside, to be replayed on demand
	NakRetry                      // it is delivered again; the log parks it after a number of times
	NakSkip                       // it is forgotten
	NakStop                       // it is forgotten, and the consumer will stop
)

func (a NakAction) String() string {
	names := [...]string{"unknown", "park", "retry", "skip", "stop"}
	if int(a) >= len(names) {
		a = 0
	}
	return names[a]
}
