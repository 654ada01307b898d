package projector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
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

// caller calls handlers from one goroutine.
type caller struct {
	s         *session
	goroutine []byte // "goroutine 42 "
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

// call runs a handler for an event, within its time. If it does not come back, the session is told.
func (c *caller) call(ctx context.Context, h *Handler, tx any, e *source.Event) error {
	s := c.s
	env := Envelope{Event: *e, Projection: s.p.name, Epoch: s.lease.Epoch(), Replay: s.replayed(e)}
	cdc := h.codec
	if cdc == nil {
		cdc = s.cfg.codec
	}
	cdc, err := s.cfg.metadataCodec.choose(e, cdc)
	if err != nil {
		return &EventError{Class: ClassDecode, Err: err}
	}
	ctx, end := context.WithCancelCause(context.WithValue(ctx, envelopeKey{}, &env))
	defer end(nil)
	limit := s.cfg.handlerTimeout
	returned := make(chan struct{})
	defer close(returned)
	watch := time.AfterFunc(limit, func() { // ends with the handler, or soon after its context
		end(fmt.Errorf("%w: more than %v", ErrHandlerTimeout, limit))
		grace := time.NewTimer(handlerGrace)
		defer grace.Stop()
		select {
		case <-returned:
		case <-grace.C:
			c.report(h, e)
		}
	})
	defer watch.Stop()
	err = protect(ctx, wrap(s.cfg.middleware, h, tx, cdc), env)
	if err != nil && errors.Is(context.Cause(ctx), ErrHandlerTimeout) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
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
func protect(ctx context.Context, handle Handle, e Envelope) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return handle(ctx, e)
}

// report tells the session, from another goroutine, that the caller's is stuck in a handler.
func (c *caller) report(h *Handler, e *source.Event) {
	event := *e
	err := fmt.Errorf("%v: %w, at\n%s", h, ErrHandlerStuck, stackOf(c.goroutine))
	select {
	case c.s.stuck <- &StoppedError{Projection: c.s.p.name, Event: &event, Class: ClassHandler, Attempts: 1, Err: err}:
	default:
	}
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
