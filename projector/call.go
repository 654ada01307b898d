package projector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

const (
	// DefaultHandlerTimeout is how long one call of a handler may take, unless [WithHandlerTimeout] says otherwise.
	DefaultHandlerTimeout = 30 * time.Second
	// handlerGrace is how long a handler may take to return after its context has ended.
	handlerGrace = 5 * time.Second
	// sessionGrace is how long all the work under a lease may take to end after its context has ended. It is longer than a
	// database that is busy waits for its lock.
	sessionGrace = 3 * handlerGrace
	// graceSteps is in how many steps these are counted. While the process is paused only one of them can pass.
	graceSteps = 5
	// shutdownGrace is the same when the shutdown has taken as long as it may.
	shutdownGrace = time.Second
)

var (
	// ErrHandlerTimeout is the cause of the end of a handler's context when it has taken too long.
	ErrHandlerTimeout = errors.New("handler took too long")
	// ErrHandlerStuck means that a handler did not return after its context had ended.
	ErrHandlerStuck = errors.New("handler does not return although its context has ended")
)

// Handle is one call of a handler as a [Middleware] sees it. The body is not decoded yet.
type Handle func(ctx context.Context, e Envelope) error

// Middleware wraps the calls of the handlers of [On] and [OnTx]. It is not called for events that only tables take.
type Middleware func(next Handle) Handle

// caller calls handlers from one goroutine, and watches how long they take.
//
// Its context, timer and clock are used for call after call, since they would cost more than most handlers do. A new context
// is made only after the last one has ended; the timer runs on from call to call, and looks how long the one that it finds has
// been running.
type caller struct {
	s         *session
	goroutine []byte        // "goroutine 42 "
	now       time.Duration // by the clock of the session, when the last call began or ended
	row       bool          // one call follows the other, so that one begins when the other ends

	parent   context.Context
	ctx      context.Context
	end      context.CancelCauseFunc
	contexts []callContext // for the next calls
	first    *delivery
	replay   *delivery

	mu       sync.Mutex // guards what follows, which the timer looks at
	watch    *time.Timer
	watching bool     // the timer runs
	calls    int      // begun so far
	inside   *Handler // that is running; nil = none
	event    *source.Event
	since    time.Duration
}

// newCaller makes a caller for the goroutine it is called from.
func newCaller(s *session) *caller {
	return &caller{
		s: s, goroutine: goroutine(),
		first:  &delivery{s.p.name, s.lease.Epoch(), false},
		replay: &delivery{s.p.name, s.lease.Epoch(), true},
	}
}

// goroutine names the calling goroutine as it is named in a stack trace.
func goroutine() []byte {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	if i := bytes.IndexByte(buf, '['); i > 0 {
		buf = buf[:i]
	}
	return buf
}

// close ends the last context. The caller can be used again.
func (c *caller) close() {
	if c.end != nil {
		c.end(nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch != nil {
		c.watch.Stop()
		c.watching = false
	}
}

// rows notes whether calls follow each other at once from now on.
func (c *caller) rows(row bool) { c.row, c.now = row, c.s.clock() }

// call runs a handler for an event, within its time. If it does not come back, the session is told. The event stays as it is,
// also after the call.
func (c *caller) call(ctx context.Context, h *Handler, tx checkpoint.Tx, e *source.Event) error {
	cdc := h.codec
	if cdc == nil {
		cdc = c.s.cfg.codec
	}
	cdc, err := c.s.cfg.metadataCodec.choose(e, cdc)
	if err != nil {
		return &EventError{Class: ClassDecode, Err: err}
	}
	err = c.protect(c.begin(ctx, h, e), h, tx, cdc)
	for _, hook := range c.s.calls {
		hook.OnHandler(c.s.p.name, Call{EventType: h.eventType, Tx: h.accepts != nil, Took: c.now - c.since, Err: err})
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(c.ctx); errors.Is(cause, ErrHandlerTimeout) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// protect makes a panic an error.
func (c *caller) protect(ctx *callContext, h *Handler, tx checkpoint.Tx, cdc codec.Codec) (err error) {
	defer func() {
		c.finish()
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if len(c.s.cfg.middleware) > 0 {
		return wrap(c.s.cfg.middleware, h, tx, cdc)(ctx, ctx.envelope())
	}
	return h.call(ctx, tx, cdc, ctx.event, ctx.delivery)
}

// callContext is the context of one call.
type callContext struct {
	context.Context
	event    *source.Event
	delivery *delivery
	handler  *Handler
	emitted  int // ids of events that the handler emits
}

// delivery says by whom events are handled.
type delivery struct {
	projection string
	epoch      int64
	replay     bool
}

// envelope puts together what is known of an event.
func (d *delivery) envelope(e *source.Event) Envelope {
	return Envelope{Event: *e, Projection: d.projection, Epoch: d.epoch, Replay: d.replay}
}

func (c *callContext) envelope() Envelope { return c.delivery.envelope(c.event) }

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// contextsAtOnce is for how many calls contexts are made at once.
const contextsAtOnce = 64

// begin notes that a handler runs from now on, and returns the context for it.
func (c *caller) begin(parent context.Context, h *Handler, e *source.Event) *callContext {
	if c.parent != parent || c.ctx.Err() != nil {
		c.parent = parent
		c.ctx, c.end = context.WithCancelCause(parent) //nolint:gosec // ended with its parent, or by the timer
	}
	if !c.row {
		c.now = c.s.clock()
	}
	c.mu.Lock()
	c.calls++
	c.inside, c.event, c.since = h, e, c.now
	if !c.watching {
		c.start(c.s.cfg.handlerTimeout)
	}
	c.mu.Unlock()
	if len(c.contexts) == 0 {
		c.contexts = make([]callContext, contextsAtOnce)
	}
	ctx := &c.contexts[0]
	c.contexts = c.contexts[1:]
	*ctx = callContext{Context: c.ctx, event: e, delivery: c.first, handler: h}
	if c.s.replayed(e) {
		ctx.delivery = c.replay
	}
	return ctx
}

// start starts the timer. The mutex is held.
func (c *caller) start(d time.Duration) {
	c.watching = true
	if c.watch == nil {
		c.watch = time.AfterFunc(d, c.look)
	} else {
		c.watch.Reset(d)
	}
}

// finish notes that the handler has returned.
func (c *caller) finish() {
	c.now = c.s.clock()
	c.mu.Lock()
	c.inside, c.event = nil, nil
	c.mu.Unlock()
}

// look is the timer's. It ends the context of a handler that has taken too long, and looks again when the handler that it
// finds running would have.
func (c *caller) look() {
	limit := c.s.cfg.handlerTimeout
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watching = false
	if c.inside == nil {
		return
	}
	if left := limit - (c.s.clock() - c.since); left > 0 {
		c.start(left)
		return
	}
	c.end(fmt.Errorf("%w: more than %v", ErrHandlerTimeout, limit))
	calls := c.calls
	time.AfterFunc(handlerGrace/graceSteps, func() { c.stuck(calls, graceSteps-1) })
}

// stuck tells the session, from another goroutine, that the caller's has not come back from a handler in so many more
// steps of grace.
func (c *caller) stuck(calls, more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside == nil || c.calls != calls {
		return
	}
	if more > 0 {
		time.AfterFunc(handlerGrace/graceSteps, func() { c.stuck(calls, more-1) })
		return
	}
	event := *c.event
	err := fmt.Errorf("%v: %w, at\n%s", c.inside, ErrHandlerStuck, stackOf(c.goroutine))
	select {
	case c.s.stuck <- &StoppedError{Projection: c.s.p.name, Event: &event, Class: ClassHandler, Attempts: 1, Err: err}:
	default:
	}
}

// wrap puts the middleware around a handler, the first outermost.
func wrap(middleware []Middleware, h *Handler, tx checkpoint.Tx, c codec.Codec) Handle {
	handle := func(ctx context.Context, e Envelope) error {
		return h.call(ctx, tx, c, &e.Event, &delivery{e.Projection, e.Epoch, e.Replay})
	}
	for i := len(middleware) - 1; i >= 0; i-- {
		handle = middleware[i](handle)
	}
	return handle
}

// maxStacks bounds the memory for the stacks of all goroutines.
const maxStacks = 16 << 20

// stackOf returns the stack of a goroutine.
func stackOf(goroutine []byte) []byte {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) && len(buf) < maxStacks {
		buf = make([]byte, 4*len(buf))
		n = runtime.Stack(buf, true)
	}
	for stack := range bytes.SplitSeq(buf[:n], []byte("\n\n")) {
		if bytes.HasPrefix(stack, goroutine) {
			return stack
		}
	}
	return []byte("(its stack was not found)")
}
