package esclient

import (
	"context"
	"fmt"
	"math"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// DefaultBuffer is how many events of a persistent subscription may be delivered and not acked.
const DefaultBuffer = 100

// PersistentOptions say how to consume a persistent subscription.
type PersistentOptions struct {
	Buffer    int  // events delivered and not acked, at most, over all of the client's hands; 0 = [DefaultBuffer]
	ManualAck bool // do not ack an event when the consumer asks for the next one
}

// NakAction says what the server shall do with an event that was not handled.
type NakAction int32

// The actions.
const (
	NakUnknown NakAction = iota // let the server decide: as NakRetry
	NakPark                     // put it aside, to be replayed later
	NakRetry                    // deliver it again
	NakSkip                     // forget it
	NakStop                     // forget it, and say that the consumer has stopped
)

// PersistentSubscription is one consumer of a persistent subscription: the server keeps the position, and shares the
// events among all consumers of the group. Events that were delivered and not acked come again, perhaps to another
// consumer, when the connection is lost, or after the group's time-out.
//
// Unless ManualAck is set, an event is acked when the consumer asks for the next one; an event at which the loop was left
// is not. Acks are gathered and sent together without delay.
type PersistentSubscription struct {
	*Subscription
	acker *acker
}

// SubscribePersistent consumes from a group of a stream. The subscription ends with [ErrNotFound] if there is no such
// group, [ErrAccessDenied], [ErrMaxConsumers]. After a lost connection, or an update of the group, it connects again.
func (c *Client) SubscribePersistent(stream, group string, o PersistentOptions) *PersistentSubscription {
	name := fmt.Sprintf("group %q of stream %q", group, stream)
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer
	}
	err := checkStream("subscribe", stream)
	if err == nil && (o.Buffer < 0 || o.Buffer > math.MaxInt32) {
		err = fmt.Errorf("%w: Buffer is %d, want 1 or more", ErrInvalidArgument, o.Buffer)
	}
	if err != nil {
		return &PersistentSubscription{Subscription: c.invalidSubscription(name, err), acker: &acker{}}
	}
	// The server sends no more than Buffer events that are not acked, so that the queue is bounded by that.
	f := c.core.newFeed(SubscribeOptions{LiveQueue: math.MaxInt, LiveBytes: math.MaxInt}, true)
	f.persist = &acker{}
	e := &volatile{}
	s := &PersistentSubscription{Subscription: c.subscribe(name, e), acker: f.persist}
	if !o.ManualAck {
		s.ack = func(events []Event) { f.persist.ackEvents(events) }
	}
	if s.Err() != nil {
		return s
	}
	err = f.open(c.newOp("subscribe", stream+"::"+group, wire.ConnectToPersistentSubscription, f, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.ConnectToPersistentSubscription{
			SubscriptionId: &group, EventStreamId: &stream, AllowedInFlightMessages: proto.Int32(int32(o.Buffer)),
		})
	}))
	if err != nil {
		s.end(err)
		return s
	}
	e.hold(f)
	return s
}

// Ack says that events were handled. It does not wait. Acks for a connection that was lost are dropped: those events come
// again.
func (s *PersistentSubscription) Ack(events ...Event) {
	s.acker.ackEvents(events)
}

// AckIDs is Ack for those who keep no more of an event than its [Event.RecordID].
func (s *PersistentSubscription) AckIDs(ids ...uuid.UUID) {
	s.acker.ack(len(ids), func(i int) uuid.UUID { return ids[i] })
}

// Nak says that events were not handled, why, and what shall become of them. It does not wait.
func (s *PersistentSubscription) Nak(action NakAction, reason string, events ...Event) {
	if ids := rawIDs(events); len(ids) > 0 {
		s.acker.nak(nak{action: action, reason: reason, ids: ids})
	}
}

// NakIDs is Nak for those who keep no more of an event than its [Event.RecordID].
func (s *PersistentSubscription) NakIDs(action NakAction, reason string, ids ...uuid.UUID) {
	if len(ids) > 0 {
		s.acker.nak(nak{action: action, reason: reason, ids: rawUUIDs(ids)})
	}
}

func rawUUIDs(ids []uuid.UUID) []wire.RawID {
	raw := make([]wire.RawID, len(ids))
	for i := range ids {
		raw[i] = wire.IDBytes(ids[i])
	}
	return raw
}

func rawIDs(events []Event) []wire.RawID {
	ids := make([]wire.RawID, len(events))
	for i := range events {
		ids[i] = wire.IDBytes(events[i].RecordID())
	}
	return ids
}

// Flush waits until the server has seen everything that was acked before, by asking it for an answer.
func (s *PersistentSubscription) Flush(ctx context.Context) error {
	_, err := (&Client{core: s.core, call: Call{Timeout: s.core.cfg.opTimeout, Retries: s.core.cfg.retries}}).Ping(ctx)
	return err
}
