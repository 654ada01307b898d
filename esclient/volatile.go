package esclient

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// SubscribeLive delivers only what is written from now on (a volatile subscription), to a stream, or to any if the name
// is empty. What is written while there is no connection is lost, and reported as a *[GapError], after which it goes on.
// That is so too when a write through the same client is redirected to the leader of a cluster, since the connection moves
// there; a client of its own, or one that was led to the leader by discover://, has no such gaps.
// A consumer that is too slow ends it with [ErrFellBehind]. Use [Client.SubscribeStream] with [FromEnd] to lose nothing.
func (c *Client) SubscribeLive(stream string, o SubscribeOptions) *Subscription {
	name := fmt.Sprintf("live stream %q", stream)
	if stream == "" {
		name = "live $all"
	}
	err := o.validate()
	if o.Filter != nil {
		err = fmt.Errorf("%w: a Filter is for SubscribeAll only", ErrInvalidArgument)
	}
	if err != nil {
		return c.invalidSubscription(name, err)
	}
	resolve := !o.KeepLinks
	f := c.core.newFeed(o, true)
	e := &volatile{}
	s := c.subscribe(name, e)
	if s.Err() != nil {
		return s
	}
	err = f.open(c.newOp("subscribe", stream, wire.SubscribeToStream, f, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.SubscribeToStream{EventStreamId: &stream, ResolveLinkTos: &resolve})
	}))
	if err != nil {
		s.end(err)
		return s
	}
	e.hold(f)
	return s
}

type volatile struct {
	feedHolder
	spare []Event
}

func (e *volatile) release() {}

func (e *volatile) next(ctx context.Context, s *Subscription) (Batch, error) {
	f := e.current()
	if f == nil {
		return Batch{}, ErrStopped
	}
	for {
		events, err := f.take(e.spare)
		if err != nil {
			if gap, ok := err.(*GapError); ok { //nolint:errorlint // take returns it as it is
				gap.Subscription = s.name
			}
			return Batch{}, err
		}
		if len(events) > 0 {
			e.spare = events
			last := &events[len(events)-1]
			return Batch{Events: events, Number: last.RecordNumber(), Position: last.Position, Live: f.idle()}, nil
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return Batch{}, context.Cause(ctx)
		case <-s.done:
			return Batch{}, ErrStopped
		case <-s.drained:
			f.close()
		}
	}
}

// Confirmed waits until the server has confirmed the subscription: what is written after that is delivered. Only live
// and persistent subscriptions have something to wait for.
func (s *Subscription) Confirmed(ctx context.Context) error {
	e, ok := s.engine.(interface{ current() *feed })
	if !ok || e.current() == nil {
		return s.Err()
	}
	f := e.current()
	select {
	case <-f.confirm:
		return s.Err()
	case <-f.op.done:
		return f.op.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return s.Err()
	}
}
