package esclient

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// From says where a subscription starts. The zero value is the start of the stream or log.
type From struct {
	kind     fromKind
	number   int64
	position Position
}

type fromKind uint8

const (
	fromStart fromKind = iota
	fromEnd
	fromNumber
	fromPosition
)

// FromStart starts with the first event there is.
func FromStart() From { return From{} }

// FromEnd starts with the first event written after the subscription has found the end.
func FromEnd() From { return From{kind: fromEnd} }

// AfterNumber starts with the event of a stream that follows number n; -1 is the start.
func AfterNumber(n int64) From { return From{kind: fromNumber, number: n} }

// AfterPosition starts with the event of $all that follows position p.
func AfterPosition(p Position) From { return From{kind: fromPosition, position: p} }

// SubscribeOptions say how to subscribe. The zero value resolves links.
type SubscribeOptions struct {
	KeepLinks bool    // do not resolve links
	PageSize  int     // events per request while catching up, 1 to [MaxPageSize]; 0 = [DefaultPageSize]
	LiveQueue int     // live events held for a slow consumer, at most; 0 = [DefaultLiveQueue]
	LiveBytes int     // their data and metadata, in bytes, at most; 0 = [DefaultLiveBytes]
	Filter    *Filter // $all only, from server 20.6 on
}

// What is held of live events for a slow consumer. A catch-up subscription that gets more goes back to reading pages; a
// volatile one ends with [ErrFellBehind].
const (
	DefaultLiveQueue = 10_000
	DefaultLiveBytes = 64 << 20
)

// Batch is a run of events as a subscription received them.
type Batch struct {
	Events   []Event  // valid until the next call of Next; the events themselves stay valid
	Number   int64    // subscriptions of a stream: everything up to this number has been delivered; -1 = nothing
	Position Position // subscriptions of $all: everything up to here has been delivered or passed over
	Live     bool     // nothing more was waiting when this batch was made
}

// Subscription delivers events in order. It ends with [Subscription.Stop], with its client, or by itself with an error;
// lost connections it survives. Events and Next are used by one goroutine at a time, everything else by any.
type Subscription struct {
	core   *core
	name   string // such as `stream "ponies"`
	engine engine
	ack    func([]Event) // after events were handled; nil = nothing to do

	batch Batch // the last one
	at    int   // events of it delivered
	acked int   // events of it acked

	busy sync.Mutex // held while the engine runs

	mu       sync.Mutex
	err      error // why it ended; nil = it has not
	draining bool
	drained  chan struct{}
	done     chan struct{}
}

// engine is what makes a subscription volatile, catch-up or persistent.
type engine interface {
	// next waits for the next batch. A *GapError does not end the subscription, nor does an error of ctx.
	next(ctx context.Context, s *Subscription) (Batch, error)
	// close stops receiving. It may be called while next waits, and does not wake it.
	close()
	// release forgets what belongs to the goroutine that calls next. It is not called while next runs.
	release()
}

func (c *Client) subscribe(name string, e engine) *Subscription {
	s := &Subscription{core: c.core, name: name, engine: e, done: make(chan struct{}), drained: make(chan struct{})}
	if err := c.core.addSubscription(s); err != nil {
		s.end(err)
	}
	return s
}

// invalidSubscription is one that has ended before it began.
func (c *Client) invalidSubscription(name string, err error) *Subscription {
	s := c.subscribe(name, noEngine{})
	s.end(err)
	return s
}

type noEngine struct{}

func (noEngine) next(context.Context, *Subscription) (Batch, error) { return Batch{}, ErrStopped }
func (noEngine) close()                                             {}
func (noEngine) release()                                           {}

// Events iterates over the events. The loop ends when the subscription does, with a *[DropError], or with ctx, with its
// error; it goes on after a *[GapError]. The subscription lives on when the loop is left: Events may be called again, and
// goes on with the next event.
func (s *Subscription) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			for s.at < len(s.batch.Events) && !s.ended() {
				e := s.batch.Events[s.at]
				s.at++
				if !yield(e, nil) {
					return
				}
				s.ackDelivered()
			}
			b, err := s.receive(ctx)
			if err != nil {
				var gap *GapError
				if !yield(Event{}, err) || !errors.As(err, &gap) {
					return
				}
			}
			s.batch, s.at, s.acked = b, 0, 0
		}
	}
}

// Next waits for the next events. It also returns, without events, when only the position or Live has changed. An error
// is a *[DropError] when the subscription has ended, a *[GapError], after which it goes on, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (Batch, error) {
	s.ackDelivered()
	if s.at == len(s.batch.Events) || s.Err() != nil {
		b, err := s.receive(ctx)
		if err != nil {
			return Batch{}, err
		}
		s.batch, s.at, s.acked = b, 0, 0
	}
	rest := s.batch
	rest.Events = rest.Events[s.at:]
	s.at = len(s.batch.Events)
	return rest, nil
}

// ackDelivered acks what was delivered, once the consumer asks for more.
func (s *Subscription) ackDelivered() {
	if s.ack != nil && s.acked < s.at {
		s.ack(s.batch.Events[s.acked:s.at])
	}
	s.acked = s.at
}

// Each calls fn with each event until fn returns an error, which Each returns, or the subscription or ctx ends. It does
// not stop the subscription. A [GapError] ends it as well; it may be called again.
func (s *Subscription) Each(ctx context.Context, fn func(context.Context, Event) error) error {
	for e, err := range s.Events(ctx) {
		if err != nil {
			return err
		}
		if err := fn(ctx, e); err != nil {
			return err
		}
	}
	return s.Err()
}

// receive asks the engine, and ends the subscription if that has come to an end.
func (s *Subscription) receive(ctx context.Context) (Batch, error) {
	if err := s.Err(); err != nil {
		return Batch{}, err
	}
	s.busy.Lock()
	b, err := s.engine.next(ctx, s)
	s.busy.Unlock()
	if s.Err() != nil {
		s.release() // it ended meanwhile
		if err == nil {
			err = ErrStopped
		}
	}
	if err == nil {
		return b, nil
	}
	var gap *GapError
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) || errors.As(err, &gap) {
		return Batch{}, err
	}
	s.end(err)
	return Batch{}, s.Err()
}

// Stop ends the subscription at once. What was received and not delivered is dropped. It is idempotent.
func (s *Subscription) Stop() { s.end(ErrStopped) }

// Drain stops receiving. What was received is still delivered, and then the subscription ends with [ErrStopped]. It is
// idempotent and does not wait: that is what Done is for, while somebody consumes.
func (s *Subscription) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining {
		s.draining = true
		close(s.drained)
	}
}

// ended reports whether Done is closed.
func (s *Subscription) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err says why the subscription has ended, as a *[DropError]; nil while it has not.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Subscription) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = &DropError{Subscription: s.name, Err: err}
	close(s.done)
	s.mu.Unlock()
	s.core.removeSubscription(s)
	s.engine.close()
	s.release()
}

// release lets the engine clean up, unless it runs: then whoever runs it does so.
func (s *Subscription) release() {
	if s.busy.TryLock() {
		s.engine.release()
		s.busy.Unlock()
	}
}

// addSubscription makes sure that a subscription ends with the client.
func (c *core) addSubscription(s *Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return c.closed
	}
	c.subscriptions[s] = struct{}{}
	return nil
}

func (c *core) removeSubscription(s *Subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subscriptions, s)
}
