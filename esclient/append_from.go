package esclient

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// AppendFromOptions bound what [Client.AppendFrom] has on its way.
type AppendFromOptions struct {
	Batch      int // events per request, at most; 0 = [DefaultBatch]
	BatchBytes int // bytes per request, at most, but for a single event; 0 = [DefaultBatchBytes]

	// InFlight is the number of requests on their way, at most; 0 = 1. More than one is faster where the way is long, and
	// safe where nobody else writes to the stream: requests expect the version that the one before leaves, but another
	// writer may leave the same. So with more than one every other writer is an error, and may already have let a later
	// request through in place of an earlier one.
	InFlight int
}

// Defaults of [AppendFromOptions].
const (
	DefaultBatch      = 500
	DefaultBatchBytes = 1 << 20
)

// AppendFrom writes the events of a sequence, which may be endless, in its order, each exactly once. The next request is
// gathered while one is on its way: an event that comes when nothing is on its way is sent at once, those that come
// faster go together. Every request expects the version that the one before left, so that order holds whatever happens
// to the connection. The sequence is not asked for more than fits into the next request.
//
// It returns when the sequence has ended and everything is written, or with the first error; the result says which events
// were written, in both cases. With [Any] and [StreamExists], others may write to the stream in between; with an exact
// version or [NoStream] they end it with [ErrWrongExpectedVersion].
//
// The sequence runs in the goroutine of the caller, and ctx is looked at whenever it yields: one that waits should end
// with ctx as well.
func (c *Client) AppendFrom(ctx context.Context, stream string, expected ExpectedVersion, events iter.Seq[NewEvent], o AppendFromOptions) (WriteResult, error) {
	const name = "append"
	if err := checkStream(name, stream); err != nil {
		return WriteResult{}, err
	}
	if o.Batch < 0 || o.BatchBytes < 0 || o.InFlight < 0 {
		return WriteResult{}, invalidArgument(name, stream, "Batch, BatchBytes and InFlight must be 0 (default) or more")
	}
	last, err := c.startOf(ctx, stream, expected)
	if err != nil {
		return WriteResult{}, err
	}
	p := &pipeline{
		c: c, stream: stream, rebase: expected < NoStream && o.InFlight <= 1, next: last, o: o.orDefaults(),
		result: WriteResult{First: last + 1, Last: last}, changed: make(chan struct{}, 1),
	}
	for e := range events {
		if err = p.add(ctx, &e); err != nil {
			break
		}
	}
	return p.finish(ctx, err)
}

func (o AppendFromOptions) orDefaults() AppendFromOptions {
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = DefaultBatchBytes
	}
	if o.InFlight == 0 {
		o.InFlight = 1
	}
	return o
}

// startOf returns the number of the last event of the stream, as expected or as it is.
func (c *Client) startOf(ctx context.Context, stream string, expected ExpectedVersion) (int64, error) {
	if expected >= NoStream {
		return int64(expected), nil
	}
	if expected != Any && expected != StreamExists {
		return 0, invalidArgument("append", stream, "expected version %d does not exist", int64(expected))
	}
	page, err := c.ReadStream(ctx, stream, EndOfStream, ReadOptions{Backward: true, PageSize: 1, KeepLinks: true})
	if errors.Is(err, ErrStreamNotFound) && expected == Any {
		return page.Last, nil
	}
	return page.Last, err
}

// pipeline holds the batches that are gathered and on their way. Batches are sent by whoever finds that one can be: the
// caller, or the goroutine that reads the answers.
type pipeline struct {
	c       *Client
	stream  string
	rebase  bool // other writers are no error
	o       AppendFromOptions
	changed chan struct{} // an answer has come
	encoded []byte        // of the caller's goroutine: the event at hand

	mu       sync.Mutex
	open     batch    // gathered, not sent
	batches  []*batch // sent, in order
	inFlight int
	next     int64 // number of the last event before open
	result   WriteResult
	err      error
}

type batch struct {
	events []byte // encoded
	n      int
	last   int64 // number of the last event before it: the expected version
	head   bool  // sent as the first one: what the server says about its version is final
	op     *op
	append *appendOp
	state  batchState
	err    error
}

type batchState uint8

const (
	batchSent   batchState = iota
	batchStale             // refused, as one before it was not there yet, or somebody else wrote
	batchFailed            // for good
	batchDone
)

// add puts an event into the open batch, and waits while that is full.
func (p *pipeline) add(ctx context.Context, e *NewEvent) error {
	encoded, err := p.c.appendEvent(p.encoded[:0], 3, e)
	p.encoded = encoded
	if err != nil {
		return invalidArgument("append", p.stream, "event %d of the sequence: %w", p.count(), err)
	}
	for {
		p.mu.Lock()
		if p.err != nil {
			p.mu.Unlock()
			return p.err
		}
		if p.open.n < p.o.Batch && (p.open.n == 0 || len(p.open.events)+len(encoded) <= p.o.BatchBytes) {
			p.open.events = append(p.open.events, encoded...)
			p.open.n++
			p.send(false)
			p.mu.Unlock()
			return context.Cause(ctx)
		}
		p.send(true)
		full := p.open.n > 0
		p.mu.Unlock()
		if !full {
			continue
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *pipeline) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next + int64(p.open.n) - p.result.First + 1
}

// finish waits until everything is written, or has failed.
func (p *pipeline) finish(ctx context.Context, err error) (WriteResult, error) {
	p.mu.Lock()
	if err != nil && p.err == nil {
		p.err = err
	}
	p.send(true)
	p.mu.Unlock()
	for {
		p.mu.Lock()
		over := p.inFlight == 0 && (p.err != nil || len(p.batches) == 0 && p.open.n == 0)
		p.mu.Unlock()
		if over {
			break
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			p.abort(context.Cause(ctx))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return p.result, nil
	}
	var oe *opError
	if !errors.As(p.err, &oe) {
		return p.result, &opError{op: "append", input: p.stream, sent: p.result.Last >= p.result.First, err: p.err}
	}
	return p.result, p.err
}

// abort ends what is on its way.
func (p *pipeline) abort(cause error) {
	p.mu.Lock()
	var ops []*op
	for _, b := range p.batches {
		if b.state == batchSent {
			ops = append(ops, b.op)
		}
	}
	p.mu.Unlock()
	for _, o := range ops {
		p.c.core.abandon(o, cause)
	}
}

// send sends the open batch if it is full, or if nothing is on its way, or if it must. p.mu is held.
func (p *pipeline) send(now bool) {
	if p.open.n == 0 || p.err != nil && p.inFlight == 0 && len(p.batches) > 0 {
		return
	}
	full := p.open.n >= p.o.Batch || len(p.open.events) >= p.o.BatchBytes
	if p.inFlight >= p.o.InFlight || p.stale() || !now && !full && p.inFlight > 0 {
		return
	}
	b := p.open
	b.last = p.next
	p.next += int64(b.n)
	p.open = batch{events: make([]byte, 0, len(b.events))}
	p.batches = append(p.batches, &b)
	p.submit(&b)
}

// stale reports whether a batch waits to be sent again: nothing may overtake it. p.mu is held.
func (p *pipeline) stale() bool {
	for _, b := range p.batches {
		if b.state == batchStale {
			return true
		}
	}
	return false
}

// submit sends a batch. p.mu is held.
func (p *pipeline) submit(b *batch) {
	b.head = p.batches[0] == b
	b.state = batchSent
	b.append = &appendOp{stream: p.stream, expected: ExpectedVersion(b.last)}
	b.op = p.c.newOp("append", p.stream, wire.WriteEvents, b.append, func(dst []byte) []byte {
		dst = wire.AppendWriteHead(dst, p.stream, b.last)
		dst = append(dst, b.events...)
		return wire.AppendWriteTail(dst, p.c.requireLeader())
	})
	o := b.op
	o.slot, o.write = false, true
	o.notify = func() { p.answered(b, o) }
	p.inFlight++
	if err := p.c.core.submit(o); err != nil {
		p.inFlight--
		b.state, b.err = batchFailed, err
		p.fail(err)
	}
}

// answered is called when a batch was written or refused.
func (p *pipeline) answered(b *batch, o *op) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	var wrong *WrongVersionError
	switch {
	case o.err == nil:
		b.state = batchDone
	case errors.As(o.err, &wrong) && !b.head:
		b.state = batchStale
	case wrong != nil && p.rebase && wrong.Known:
		// Had it been written before, the server had said so: somebody else wrote.
		b.state = batchStale
		p.moveTo(wrong.Current)
	default:
		b.state, b.err = batchFailed, o.err
	}
	p.settle()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// moveTo makes all batches follow another event. All but the first are refused, or will be. p.mu is held.
func (p *pipeline) moveTo(last int64) {
	for _, b := range p.batches {
		b.last = last
		last += int64(b.n)
	}
	p.next = last
}

// settle takes what is written off the front, and sends again what was refused, once everything has come back. p.mu is
// held.
func (p *pipeline) settle() {
	for len(p.batches) > 0 && p.batches[0].state == batchDone {
		r := p.batches[0].append.result
		if p.result.Last < p.result.First {
			p.result.First = r.First
		}
		p.result.Last, p.result.Position = r.Last, r.Position
		p.batches = p.batches[1:]
	}
	if len(p.batches) > 0 && p.batches[0].state == batchFailed {
		p.fail(p.batches[0].err)
	}
	if p.inFlight == 0 && p.err == nil {
		for _, b := range p.batches {
			p.submit(b)
		}
	}
	if p.err == nil {
		p.send(false)
	}
}

// fail keeps the first error. p.mu is held.
func (p *pipeline) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
