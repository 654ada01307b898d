package esclient

import (
	"context"
	"errors"
	"iter"
)

var errNotBuilt = errors.New("not built yet")

// Client is a connection to Event Store. It is safe for concurrent use.
type Client struct{}

// Option changes how a client behaves.
type Option interface{ apply(*config) }

type config struct{}

// Dial connects to a node or a cluster: tcp://[user:password@]host[:1113], tls://…, discover://host[:2113][,host…].
// It waits for the first connection, and fails if that cannot be made.
func Dial(ctx context.Context, url string, opts ...Option) (*Client, error) { return nil, errNotBuilt }

// Close ends everything. It is idempotent.
func (c *Client) Close() error { return nil }

// Append writes events to the end of a stream, all or none. It returns [ErrWrongExpectedVersion], [ErrStreamDeleted], …
func (c *Client) Append(ctx context.Context, stream string, expected ExpectedVersion, events ...NewEvent) (WriteResult, error) {
	return WriteResult{}, errNotBuilt
}

// AppendAsync sends an append and does not wait for the answer: any number may be on their way. They are sent in the
// order of the calls. It blocks only while the limit of operations in flight is reached.
func (c *Client) AppendAsync(ctx context.Context, stream string, expected ExpectedVersion, events ...NewEvent) *Pending {
	return nil
}

// Pending is an append on its way.
type Pending struct{}

// Done is closed when the outcome is known.
func (p *Pending) Done() <-chan struct{} { return nil }

// Wait waits for the outcome.
func (p *Pending) Wait(ctx context.Context) (WriteResult, error) { return WriteResult{}, errNotBuilt }

// AppendFrom writes events as the sequence yields them, in its order, pipelined, until it ends.
func (c *Client) AppendFrom(ctx context.Context, stream string, expected ExpectedVersion, events iter.Seq[NewEvent], o AppendFromOptions) (WriteResult, error) {
	return WriteResult{}, errNotBuilt
}

// AppendFromOptions bound what AppendFrom holds.
type AppendFromOptions struct {
	Batch    int // events per request, at most
	InFlight int // requests on their way, at most
}

// ReadEvent reads one event; number [EndOfStream] is the last one.
func (c *Client) ReadEvent(ctx context.Context, stream string, number int64, o ReadOptions) (Event, error) {
	return Event{}, errNotBuilt
}

// ReadStream reads one page of a stream.
func (c *Client) ReadStream(ctx context.Context, stream string, from int64, o ReadOptions) (StreamPage, error) {
	return StreamPage{}, errNotBuilt
}

// ReadAll reads one page of the log.
func (c *Client) ReadAll(ctx context.Context, from Position, o ReadOptions) (AllPage, error) {
	return AllPage{}, errNotBuilt
}

// StreamEvents iterates over a stream to its end.
func (c *Client) StreamEvents(ctx context.Context, stream string, from int64, o ReadOptions) iter.Seq2[Event, error] {
	return nil
}

// AllEvents iterates over the log to its end.
func (c *Client) AllEvents(ctx context.Context, from Position, o ReadOptions) iter.Seq2[Event, error] {
	return nil
}

// SubscribeStream reads a stream from a place on, first what is there and then what comes. It survives reconnects:
// nothing is lost and nothing is repeated.
func (c *Client) SubscribeStream(stream string, from From, o SubscribeOptions) *Subscription {
	return nil
}

// SubscribeAll is SubscribeStream for the log of all events.
func (c *Client) SubscribeAll(from From, o SubscribeOptions) *Subscription { return nil }

// SubscribeLive gets only what is written from now on (a volatile subscription); stream "" is $all. Events written
// while there is no connection are lost, and reported as a *GapError.
func (c *Client) SubscribeLive(stream string, o SubscribeOptions) *Subscription { return nil }

// Subscription delivers events in order. It is used by one goroutine at a time, but Stop, Drain, Done and Err by any.
type Subscription struct{}

// Events iterates over the events until the subscription ends, ctx is done, or the loop is left. The subscription goes
// on after that, and Events may be called again; [Subscription.Stop] ends it.
func (s *Subscription) Events(ctx context.Context) iter.Seq2[Event, error] { return nil }

// Next waits for the next events. It returns a batch without events when only its position or Live has changed.
func (s *Subscription) Next(ctx context.Context) (Batch, error) { return Batch{}, errNotBuilt }

// Stop ends the subscription at once; what was received and not delivered is dropped. It is idempotent.
func (s *Subscription) Stop() {}

// Drain stops receiving; what was received is still delivered, then the subscription ends.
func (s *Subscription) Drain() {}

// Done is closed when the subscription has ended.
func (s *Subscription) Done() <-chan struct{} { return nil }

// Err says why the subscription has ended; nil while it has not.
func (s *Subscription) Err() error { return nil }
