package esclient

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// feed receives what a server pushes, for a consumer that may be slower. The goroutine that reads the connection fills
// it and never waits; what does not fit ends it.
type feed struct {
	core    *core
	op      *op
	limit   int // events
	bytes   int // of data and metadata
	resume  bool
	decoder decoder       // of the reading goroutine
	persist *acker        // of a persistent subscription; nil = none
	wake    chan struct{} // something has changed
	confirm chan struct{} // closed when the server has confirmed

	mu         sync.Mutex
	queue      []Event
	held       int // bytes in queue
	confirmed  bool
	lastCommit int64
	lastNumber wire.Opt[int64]
	checkpoint Position // of a filtered subscription: passed over up to here
	passed     bool     // checkpoint has moved, and stands behind the queue
	gap        error    // the connection was lost when there were gapAt events in queue
	gapAt      int
	err        error // ended; what is in queue is still good
}

func (c *core) newFeed(o SubscribeOptions, resume bool) *feed {
	f := &feed{
		core: c, limit: o.LiveQueue, bytes: o.LiveBytes, resume: resume,
		wake: make(chan struct{}, 1), confirm: make(chan struct{}),
	}
	if f.limit == 0 {
		f.limit = DefaultLiveQueue
	}
	if f.bytes == 0 {
		f.bytes = DefaultLiveBytes
	}
	return f
}

// feedHolder holds the feed of an engine, which may be closed at any time.
type feedHolder struct {
	mu     sync.Mutex
	feed   *feed // nil = not subscribed
	closed bool
}

// hold keeps a feed, or closes it and returns false when the subscription has ended meanwhile.
func (h *feedHolder) hold(f *feed) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		f.close()
		return false
	}
	h.feed = f
	return true
}

func (h *feedHolder) current() *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.feed
}

// drop ends the feed; another may follow.
func (h *feedHolder) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feed != nil {
		h.feed.close()
		h.feed = nil
	}
}

// close ends the feed, and every one that follows.
func (h *feedHolder) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.feed != nil {
		h.feed.close()
	}
}

// open sends the request to subscribe.
func (f *feed) open(o *op) error {
	o.slot = false
	o.retries = Unlimited
	f.op = o
	return f.core.submit(o)
}

// close tells the server to stop, and forgets the subscription.
func (f *feed) close() {
	if f.persist != nil {
		f.persist.flush()
	}
	f.core.unsubscribe(f.op)
	f.core.abandon(f.op, ErrStopped)
}

// unsubscribe tells the server that nobody listens any more. Its answer finds nobody.
func (c *core) unsubscribe(o *op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && !o.finished && o.state.Load() == opSent {
		c.control(c.conn, wire.UnsubscribeFromStream, o.id, nil)
	}
}

// settle makes an op of a subscription wait for ever, once it is confirmed.
func (c *core) settle(o *op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.deadline, o.tries = time.Time{}, 0
}

func (f *feed) handle(p *wire.Package, _ *wire.Reader) verdict {
	switch p.Command {
	case wire.StreamEventAppeared, wire.PersistentSubscriptionStreamEventAppeared:
		return f.appeared(p)
	case wire.SubscriptionConfirmation:
		var m wirepb.SubscriptionConfirmation
		if err := proto.Unmarshal(p.Payload, &m); err != nil {
			return broken(p.Command, err)
		}
		f.confirmation(m.GetLastCommitPosition(), m.LastEventNumber)
		return goOn()
	case wire.PersistentSubscriptionConfirmation:
		var m wirepb.PersistentSubscriptionConfirmation
		if err := proto.Unmarshal(p.Payload, &m); err != nil || f.persist == nil {
			return broken(p.Command, errors.Join(err, errors.New("not an answer to this request")))
		}
		f.core.connectAcker(f.persist, f.op, m.GetSubscriptionId())
		f.confirmation(m.GetLastCommitPosition(), m.LastEventNumber)
		return goOn()
	case wire.CheckpointReached:
		return f.checkpointReached(p)
	case wire.SubscriptionDropped:
		return f.dropped(p)
	}
	return unexpected(p)
}

func (f *feed) confirmation(commit int64, number *int64) {
	f.core.settle(f.op)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastCommit = commit
	if number != nil {
		f.lastNumber = wire.Some(*number)
	}
	if !f.confirmed {
		f.confirmed = true
		close(f.confirm)
	}
}

func (f *feed) appeared(p *wire.Package) verdict {
	var e Event
	var ok bool
	var err error
	if f.persist != nil {
		ok, err = f.decodePersistent(&e, p.Payload)
	} else {
		ok, err = f.decode(&e, p.Payload)
	}
	if err == nil && !ok {
		err = errors.New("no event")
	}
	if err != nil {
		return broken(p.Command, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	size := len(e.Data) + len(e.Metadata)
	if len(f.queue) >= f.limit || len(f.queue) > 0 && f.held+size > f.bytes {
		f.core.unsubscribe(f.op)
		return done(ErrFellBehind)
	}
	f.queue = append(f.queue, e)
	f.held += size
	f.passed = false
	f.signal()
	return goOn()
}

func (f *feed) decode(e *Event, payload []byte) (ok bool, err error) {
	var m wire.StreamEventAppearedBody // on the stack
	if err = m.Decode(payload); err != nil {
		return false, err
	}
	f.decoder.event(e, &m.Event)
	return m.HasEvent && (m.Event.HasEvent || m.Event.HasLink), nil
}

func (f *feed) decodePersistent(e *Event, payload []byte) (ok bool, err error) {
	var m wire.PersistentEventAppearedBody // on the stack
	if err = m.Decode(payload); err != nil {
		return false, err
	}
	f.decoder.event(e, &m.Event)
	e.RetryCount = int(m.RetryCount.Value)
	return m.HasEvent && (m.Event.HasEvent || m.Event.HasLink), nil
}

func (f *feed) checkpointReached(p *wire.Package) verdict {
	var m wirepb.CheckpointReached
	if err := proto.Unmarshal(p.Payload, &m); err != nil {
		return broken(p.Command, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkpoint = Position{Commit: m.GetCommitPosition(), Prepare: m.GetPreparePosition()}
	f.passed = true
	f.signal()
	return goOn()
}

// dropped says why the server ended the subscription. An orderly shutdown of a server drops all of them, so that one
// that can is made again, and finds the server gone or back.
func (f *feed) dropped(p *wire.Package) verdict {
	var m wirepb.SubscriptionDropped
	if err := proto.Unmarshal(p.Payload, &m); err != nil {
		return broken(p.Command, err)
	}
	e := &ServerError{Command: p.Command.String(), Result: m.GetReason().String()}
	switch m.GetReason() {
	case wirepb.SubscriptionDropped_REASON_UNSUBSCRIBED:
		e.is = ErrDropped
	case wirepb.SubscriptionDropped_REASON_ACCESS_DENIED:
		e.is = ErrAccessDenied
	case wirepb.SubscriptionDropped_REASON_NOT_FOUND, wirepb.SubscriptionDropped_REASON_PERSISTENT_SUBSCRIPTION_DELETED:
		e.is = ErrNotFound
	case wirepb.SubscriptionDropped_REASON_SUBSCRIBER_MAX_COUNT_REACHED:
		e.is = ErrMaxConsumers
	}
	if f.resume && errors.Is(e, ErrDropped) {
		f.interrupted(e)
		return retry(e)
	}
	return done(e)
}

// lost is told when the connection broke.
func (f *feed) lost(cause error) bool {
	if !f.resume {
		return false
	}
	f.interrupted(cause)
	return true
}

// interrupted marks that events may be missing behind those in the queue. A persistent subscription gets again what was
// not acked, so that what waits in the queue is dropped.
func (f *feed) interrupted(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.persist != nil {
		f.persist.disconnect()
		f.queue, f.held = nil, 0
		return
	}
	if f.gap == nil && f.confirmed {
		f.gap, f.gapAt = fmt.Errorf("%w: %w", ErrNotConnected, cause), len(f.queue)
	}
	f.signal()
}

// failed is told when the op has ended.
func (f *feed) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	if f.persist != nil {
		f.persist.disconnect()
	}
	f.signal()
}

// signal wakes the consumer. f.mu is held.
func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what is in the queue, up to a gap, and gives spare in exchange. An error comes when the queue is empty.
func (f *feed) take(spare []Event) (events []Event, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.queue)
	if f.gap != nil {
		n = f.gapAt
	}
	switch {
	case n == 0 && f.gap != nil:
		err, f.gap = f.gap, nil
		if len(f.queue) > 0 {
			f.signal()
		}
		return nil, &GapError{Err: err}
	case n == 0:
		return nil, f.err
	case n == len(f.queue):
		events, f.queue = f.queue, spare[:0]
		f.held = 0
	default: // behind a gap there is more
		events = f.queue[:n:n]
		f.queue = append(spare[:0], f.queue[n:]...)
		for i := range events {
			f.held -= len(events[i].Data) + len(events[i].Metadata)
		}
		f.signal()
	}
	if f.gap != nil {
		f.gapAt = 0
		f.signal()
	}
	if f.err != nil {
		f.signal()
	}
	return events, nil
}

// idle reports whether nothing waits.
func (f *feed) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) == 0 && f.err == nil
}

// passedOver returns the position up to which a filtered subscription had nothing to push, if that is news.
func (f *feed) passedOver() (Position, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ok := f.passed && len(f.queue) == 0
	if ok {
		f.passed = false
	}
	return f.checkpoint, ok
}
