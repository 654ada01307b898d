// Package source is the interface between the framework and an event log.
//
// The runner knows this package and no network protocol. Package eventstore, below, reads Event Store over TCP; another
// log, or another protocol, is another implementation of [Source].
package source

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

var (
	// ErrGone means that the event at a position cannot be read any more: truncated, scavenged or expired.
	ErrGone = errors.New("event is not readable any more")
	// ErrBeyondHead means that a position is behind the end of the log: this is not the log the position came from.
	ErrBeyondHead = errors.New("position is beyond the end of the log")
	// ErrOtherLog means that the log is not the one that was read before: another event stands where a known one was, or it
	// ends before that.
	ErrOtherLog = errors.New("not the event log that the position came from")
	// ErrStreamDeleted means that the stream of a source was deleted for good.
	ErrStreamDeleted = errors.New("stream was deleted")
	// ErrRefused means that the log will not serve this source, however often it is asked: access denied, wrong
	// password, not supported by this server. The projection stops; every other error is taken for an outage.
	ErrRefused = errors.New("the event log refuses")
)

// Source is an event log, or a part of one, that can be read in order from any position. It holds no connection of its
// own and is safe for concurrent use.
type Source interface {
	// String names what is read, such as "stream ponies" or "all streams area-*". Projections whose sources have the same
	// name and log may share one subscription, and the name is part of a projection's definition.
	String() string

	// Subscribe reads on after a position, first what is there and then what comes.
	Subscribe(ctx context.Context, after checkpoint.Position) (Subscription, error)

	// Head returns the position of the last event there is now; the start if there is none.
	Head(ctx context.Context) (checkpoint.Position, error)

	// EventAt reads the one event at a position that Subscribe has delivered. The error is [ErrGone] or
	// [ErrBeyondHead] where there is none.
	EventAt(ctx context.Context, at checkpoint.Position) (Event, error)

	// Advance returns the position after events that follow each other were handled by somebody who stood at p.
	Advance(p checkpoint.Position, events []Event) checkpoint.Position
}

// Shareable is a source of which it can be told whether another reads the same: if their logs are equal and their names too.
// Projections that read the same share subscriptions.
type Shareable interface {
	Source
	// Log identifies the log. It is comparable; nil = not to be shared.
	Log() any
}

// Checker is a source whose positions say more than one event can prove to be of this log.
type Checker interface {
	Source
	// Check returns [ErrBeyondHead] if the log has never reached a position.
	Check(ctx context.Context, at checkpoint.Position) error
}

// Timed is a source in which a place can be found by time.
type Timed interface {
	Source
	// Before returns a position such that the next event is the first created at t or later; the start if all are. Where the
	// clocks of writers disagree, it is one of the places that fit.
	Before(ctx context.Context, t time.Time) (checkpoint.Position, error)
}

// Subscription delivers the events of a source in order. It survives reconnects by itself: nothing is lost and nothing
// is repeated, and it ends with [ErrOtherLog] where it finds another log than before. It is used by one goroutine at a time.
type Subscription interface {
	// Next waits for the next batch. It returns early with no events when only the position or Live has changed. After
	// an error, other than that of ctx, the subscription has ended.
	Next(ctx context.Context) (Batch, error)
	// Close ends the subscription and waits until its goroutines have ended.
	Close() error
}

// LastOf is the position of the last event, p if there is none: how a source advances whose events are in one order.
func LastOf(p checkpoint.Position, events []Event) checkpoint.Position {
	if len(events) == 0 {
		return p
	}
	return events[len(events)-1].Position
}

// Batch is a run of events. Nobody changes them: they may have other receivers.
type Batch struct {
	Events   []Event
	Position checkpoint.Position // everything up to here has been delivered or passed over, with this batch
	Live     bool                // nothing more was waiting when this batch was made
}

// Event is one event as it was received. Its bytes belong to it and are not changed.
type Event struct {
	ID       uuid.UUID
	Type     string
	Stream   string // of the event itself, which a link may have led to
	Number   int64  // in Stream
	Data     []byte
	Metadata []byte
	JSON     bool // written as JSON
	Created  time.Time

	Position checkpoint.Position // in the source
	Link     *Link               // the link that led here, if one did
}

// Link is a record that points at an event in another stream.
type Link struct {
	ID         uuid.UUID
	Stream     string
	Number     int64
	Unresolved bool // its target does not exist (any more): of the event, only ID, Stream and Number of the link are known
}

// RecordID is the id of what was received: the link if there is one, else the event.
func (e *Event) RecordID() uuid.UUID {
	if e.Link != nil {
		return e.Link.ID
	}
	return e.ID
}
