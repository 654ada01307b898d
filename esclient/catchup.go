package esclient

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// SubscribeStream reads a stream from a place on, first what is there and then what comes (a catch-up subscription). It
// survives lost connections, restarts, and a slow consumer: nothing is lost, nothing is repeated, the order is kept. A
// stream that does not exist yet is waited for; one that is deleted for good ends it with [ErrStreamDeleted].
//
// Nothing is requested before the first call of Next or Events.
func (c *Client) SubscribeStream(stream string, from From, o SubscribeOptions) *Subscription {
	name := fmt.Sprintf("stream %q", stream)
	p, err := c.newPages("subscribe", stream, false, o.reads())
	if err == nil && (from.kind == fromPosition || from.kind == fromNumber && from.number < -1) {
		err = invalidArgument("subscribe", stream, "a stream is read from FromStart, FromEnd, or AfterNumber of -1 or more")
	}
	return c.catchUp(name, p, from, o, err)
}

// SubscribeAll is SubscribeStream for the log of all events. It needs a user who may read $all.
func (c *Client) SubscribeAll(from From, o SubscribeOptions) *Subscription {
	p, err := c.newPages("subscribe", "", true, o.reads())
	if err == nil && from.kind == fromNumber {
		err = invalidArgument("subscribe", "$all", "$all is read from FromStart, FromEnd, or AfterPosition")
	}
	return c.catchUp("$all", p, from, o, err)
}

func (o SubscribeOptions) reads() ReadOptions {
	return ReadOptions{KeepLinks: o.KeepLinks, PageSize: o.PageSize, Filter: o.Filter}
}

func (o SubscribeOptions) validate() error {
	if o.LiveQueue < 0 || o.LiveBytes < 0 {
		return fmt.Errorf("%w: LiveQueue %d and LiveBytes %d must be 0 (default) or more", ErrInvalidArgument, o.LiveQueue, o.LiveBytes)
	}
	return nil
}

func (c *Client) catchUp(name string, p pages, from From, o SubscribeOptions, err error) *Subscription {
	if err = errors.Join(err, o.validate()); err != nil {
		return c.invalidSubscription(name, err)
	}
	p.c = c.With(Call{Retries: Unlimited}) // it goes on for as long as the client does
	e := &catchUp{pager: pager{pages: p}, options: o, from: from, last: cursor{number: -1, position: Position{Commit: -1, Prepare: -1}}}
	switch from.kind {
	case fromNumber:
		e.last.number = from.number
		e.pager.next.number = behind(from.number)
	case fromPosition:
		e.last.position = from.position
		e.pager.next.position = from.position
	}
	return c.subscribe(name, e)
}

// catchUp reads pages until the end, subscribes, reads the gap up to the confirmation, and is live then. When the live
// feed breaks, for whatever reason, it goes back to reading from the last event delivered.
type catchUp struct {
	pager
	feedHolder
	options SubscribeOptions
	from    From
	last    cursor // delivered; nothing up to here is delivered again
	located bool   // FromEnd has been resolved
	live    bool   // the gap is closed: events come from the feed
	told    bool   // the consumer knows that it is live
	step    *page  // read and delivered, but not yet looked at for what follows
	early   bool   // the next page was asked for before the subscription was confirmed
	spare   []Event
	failed  int // answers in a row that made no sense
}

// maxBroken is how many answers in a row may make no sense before a subscription gives up. Each costs a connection.
const maxBroken = 3

func (e *catchUp) next(ctx context.Context, s *Subscription) (Batch, error) {
	for {
		var b Batch
		var ok bool
		var err error
		switch {
		case e.from.kind == fromEnd && !e.located:
			err = e.locate(ctx)
		case e.live:
			b, ok, err = e.takeLive(ctx, s)
		default:
			b, ok, err = e.readOn(ctx, s)
		}
		switch {
		case err == nil:
			e.failed = 0
		case isProtocolError(err) && e.failed < maxBroken:
			e.failed++
			e.resume()
			continue
		default:
			return Batch{}, err
		}
		if ok {
			b.Number, b.Position = e.last.number, e.last.position
			return b, nil
		}
	}
}

func (e *catchUp) release() { e.cancel() }

// locate finds the end of the stream or log.
func (e *catchUp) locate(ctx context.Context) error {
	p := e.pages
	p.backward, p.size, p.filter = true, 1, nil
	pg, events, err := p.one(ctx, cursor{number: EndOfStream, position: End()})
	switch {
	case errors.Is(err, ErrStreamNotFound):
	case err != nil:
		return err
	case !p.all:
		e.last.number = pg.last
	case len(events) > 0:
		e.last.position = events[0].Position
	}
	e.located = true
	e.restart(e.start())
	return nil
}

// start is where a page must start to have everything behind last. Positions are re-read, as what follows is not known.
func (e *catchUp) start() cursor {
	c := cursor{number: behind(e.last.number), position: e.last.position}
	if c.position.Commit < 0 {
		c.position = Start()
	}
	return c
}

// behind is the number to read on from after event n. Nothing follows on the tombstone, and a read there says so.
func behind(n int64) int64 {
	if n == Tombstone {
		return n
	}
	return n + 1
}

// resume goes back to reading.
func (e *catchUp) resume() {
	e.drop()
	e.live, e.told, e.step = false, false, nil
	e.restart(e.start())
}

// readOn reads a page. Its events are delivered before anything else is done about it, so that none are held up, or lost
// when the context of the consumer ends meanwhile. ok says that there is something to tell.
func (e *catchUp) readOn(ctx context.Context, s *Subscription) (b Batch, ok bool, err error) {
	if e.step != nil {
		if err := e.moveOn(ctx, s, *e.step); err != nil {
			return b, false, err
		}
		e.step = nil
		return b, false, nil
	}
	pg, events, err := e.read(ctx, s)
	switch {
	case errors.Is(err, ErrStreamNotFound):
		pg = page{end: true, next: e.pager.next}
	case err != nil:
		return b, false, err
	}
	before := e.last
	b.Events = e.fresh(events)
	if e.filter != nil {
		e.pass(pg.next.position)
	}
	if pg.end || e.current() != nil {
		e.step = &pg
	}
	return b, len(b.Events) > 0 || e.last != before, nil
}

// moveOn subscribes at the end of what is there, and is live once a page read after that reaches what the feed has.
func (e *catchUp) moveOn(ctx context.Context, s *Subscription, pg page) error {
	if f := e.current(); f != nil {
		return e.closeGap(ctx, s, f, pg)
	}
	return e.goLive(ctx, s)
}

// pass moves last over what a filter has dropped. A position that may be that of an event not looked at yet stays in
// front: only one between two records is passed.
func (e *catchUp) pass(p Position) {
	if p.Prepare < p.Commit && p.Compare(e.last.position) > 0 {
		e.last.position = p
	}
}

// fresh drops what was delivered before, and moves last.
func (e *catchUp) fresh(events []Event) []Event {
	n := 0
	for n < len(events) && !e.isNew(&events[n]) {
		n++
	}
	events = events[n:]
	if len(events) > 0 {
		last := &events[len(events)-1]
		e.last.number, e.last.position = last.RecordNumber(), last.Position
	}
	return events
}

func (e *catchUp) isNew(event *Event) bool {
	if e.all {
		return event.Position.Compare(e.last.position) > 0
	}
	return event.RecordNumber() > e.last.number
}

// goLive subscribes. What is written from then on waits in the feed. The page that closes the gap is asked for along with
// that, which spares a round trip wherever the answers show that it was read late enough.
func (e *catchUp) goLive(ctx context.Context, s *Subscription) error {
	f := e.c.core.newFeed(e.options, false)
	if err := f.open(e.subscribeOp(f)); err != nil {
		return err
	}
	if !e.hold(f) {
		return ErrStopped
	}
	if len(e.asked) == 0 {
		if err := e.ask(e.pager.next); err != nil {
			return err
		}
	}
	select {
	case <-f.confirm:
		e.early = true
		return nil
	case <-f.op.done:
		return e.broken(f.op.err)
	case <-ctx.Done():
		e.drop()
		return context.Cause(ctx)
	case <-s.done:
		return ErrStopped
	case <-s.drained:
		e.drop()
		return ErrStopped
	}
}

func (e *catchUp) subscribeOp(f *feed) *op {
	name, input := "subscribe", e.stream
	if e.all {
		input = "$all"
	}
	if e.filter != nil {
		return e.c.newOp(name, input, wire.FilteredSubscribeToStream, f, func(dst []byte) []byte {
			return appendProto(dst, &wirepb.FilteredSubscribeToStream{
				EventStreamId: &e.stream, ResolveLinkTos: &e.resolve, Filter: e.filter, CheckpointInterval: proto.Int32(checkpointInterval),
			})
		})
	}
	return e.c.newOp(name, input, wire.SubscribeToStream, f, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.SubscribeToStream{EventStreamId: &e.stream, ResolveLinkTos: &e.resolve})
	})
}

// checkpointInterval is after how many events, matching or not, a filtered subscription tells how far it has come.
const checkpointInterval = 1000

// gapPause is how long a server may take to show in its pages what it has confirmed.
const gapPause = time.Millisecond

// closeGap decides whether a page reaches what the feed starts with.
func (e *catchUp) closeGap(ctx context.Context, s *Subscription, f *feed, pg page) error {
	f.mu.Lock()
	commit, number := f.lastCommit, f.lastNumber
	f.mu.Unlock()
	early := e.early
	e.early = false
	var closed bool
	switch {
	case e.all:
		closed = pg.next.position.Compare(Position{Commit: commit, Prepare: commit}) >= 0 || pg.end && e.last.position.Commit >= commit
	case number.Set:
		closed = pg.next.number > number.Value || number.Value == math.MaxInt64 && !early
	}
	if !closed && early {
		return nil // the end of this page may be older than the subscription
	}
	// Without a number, 0 left out by the server, or with one that cannot be read, of a stream deleted softly, the end of
	// the stream is all there is to wait for.
	if closed || pg.end && !e.all {
		e.live = true
		return nil
	}
	if !pg.end {
		return nil
	}
	timer := time.NewTimer(gapPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-f.op.done:
		return e.broken(f.op.err)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.done:
		return ErrStopped
	}
}

// broken decides what to do about a feed that has ended: go on reading, where another attempt can help.
func (e *catchUp) broken(err error) error {
	for _, passing := range []error{ErrNotConnected, ErrFellBehind, ErrDropped, ErrTimeout, ErrNotHandled} {
		if errors.Is(err, passing) {
			e.resume()
			return nil
		}
	}
	return err
}

// takeLive returns what the feed has, or waits for it.
func (e *catchUp) takeLive(ctx context.Context, s *Subscription) (b Batch, ok bool, err error) {
	f := e.current()
	if f == nil {
		return b, false, ErrStopped
	}
	events, err := f.take(e.spare)
	if err != nil {
		return b, false, e.broken(err)
	}
	e.spare = events
	if b.Events = e.fresh(events); len(b.Events) > 0 {
		e.told = f.idle()
		b.Live = e.told
		return b, true, nil
	}
	if passed, ok := f.passedOver(); ok && passed.Compare(e.last.position) > 0 {
		e.last.position = passed
		return Batch{Live: true}, true, nil
	}
	if len(events) > 0 {
		return b, false, nil
	}
	if !e.told {
		e.told = true
		return Batch{Live: true}, true, nil
	}
	select {
	case <-f.wake:
		return b, false, nil
	case <-ctx.Done():
		return b, false, context.Cause(ctx)
	case <-s.done:
		return b, false, ErrStopped
	case <-s.drained:
		f.close() // what is in its queue still comes; then its error ends the subscription
		return b, false, nil
	}
}
