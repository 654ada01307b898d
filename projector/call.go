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

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

const (
	// DefaultHandlerTimeout is how long one call of a handler may take, unless [WithHandlerTimeout] says otherwise.
	DefaultHandlerTimeout = 30 * time.Second
	// handlerGrace is how long a handler may take to return after its context has ended.
	handlerGrace = 5 * time.Second
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
// Its context and timer are used for call after call, since making them would cost more than most handlers do. A new context
// is made only after the last one has ended.
type caller struct {
	s         *session
	goroutine []byte // "goroutine 42 "

	parent context.Context
	ctx    context.Context
	end    context.CancelCauseFunc
	watch  *time.Timer

	mu     sync.Mutex // guards what follows, which the timer looks at
	calls  int        // begun so far
	inside *Handler   // that is running; nil = none
	event  *source.Event
	since  time.Time
}

// newCaller makes a caller for the goroutine it is called from.
func newCaller(s *session) *caller { return &caller{s: s, goroutine: goroutine()} }

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
}

// call runs a handler for an event, within its time. If it does not come back, the session is told.
func (c *caller) call(ctx context.Context, h *Handler, tx any, e *source.Event) error {
	s := c.s
	cdc := h.codec
	if cdc == nil {
		cdc = s.cfg.codec
	}
	cdc, err := s.cfg.metadataCodec.choose(e, cdc)
	if err != nil {
		return &EventError{Class: ClassDecode, Err: err}
	}
	call := &callContext{Context: c.begin(ctx, h, e), event: Envelope{
		Event: *e, Projection: s.p.name, Epoch: s.lease.Epoch(), Replay: s.replayed(e),
	}}
	defer c.finish()
	if len(s.cfg.middleware) == 0 {
		err = protect(call, func(ctx context.Context, e Envelope) error { return h.call(ctx, tx, cdc, e) })
	} else {
		err = protect(call, wrap(s.cfg.middleware, h, tx, cdc))
	}
	if cause := context.Cause(c.ctx); err != nil && errors.Is(cause, ErrHandlerTimeout) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// callContext is the context of one call.
type callContext struct {
	context.Context
	event Envelope
}

func (c *callContext) Value(key any) any {
	if key == (envelopeKey{}) {
		return &c.event
	}
	return c.Context.Value(key)
}

// begin notes that a handler runs from now on, and returns the context for it.
func (c *caller) begin(parent context.Context, h *Handler, e *source.Event) context.Context {
	if c.parent != parent || c.ctx.Err() != nil {
		c.parent = parent
		c.ctx, c.end = context.WithCancelCause(parent) //nolint:gosec // ended with its parent, or by the timer
	}
	c.mu.Lock()
	c.calls++
	c.inside, c.event, c.since = h, e, time.Now()
	c.mu.Unlock()
	if c.watch == nil {
		c.watch = time.AfterFunc(c.s.cfg.handlerTimeout, c.late)
	} else {
		c.watch.Reset(c.s.cfg.handlerTimeout)
	}
	return c.ctx
}

// finish notes that the handler has returned.
func (c *caller) finish() {
	c.watch.Stop()
	c.mu.Lock()
	c.inside, c.event = nil, nil
	c.mu.Unlock()
}

// late ends the context of a handler that takes too long. It is the timer's, which may fire when another call has begun.
func (c *caller) late() {
	limit := c.s.cfg.handlerTimeout
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside == nil || time.Since(c.since) < limit {
		return
	}
	c.end(fmt.Errorf("%w: more than %v", ErrHandlerTimeout, limit))
	calls := c.calls
	time.AfterFunc(handlerGrace, func() { c.stuck(calls) })
}

// stuck tells the session, from another goroutine, that the caller's has not come back from a handler.
func (c *caller) stuck(calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside == nil || c.calls != calls {
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
func wrap(middleware []Middleware, h *Handler, tx any, c codec.Codec) Handle {
	handle := func(ctx context.Context, e Envelope) error { return h.call(ctx, tx, c, e) }
	for i := len(middleware) - 1; i >= 0; i-- {
		handle = middleware[i](handle)
	}
	return handle
}

// protect makes a panic an error.
func protect(ctx *callContext, handle Handle) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return handle(ctx, ctx.event)
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
