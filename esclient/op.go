package esclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// op is a request that waits for its answer, across reconnects. A subscription is an op that goes on after its answer.
type op struct {
	name, input string // for errors and logs
	cmd         wire.Command
	frame       []byte  // whole, encoded once; the correlation id is filled in when it is sent
	handler     handler // looks at answers
	timeout     time.Duration
	retries     int  // allowed
	write       bool // may have changed something once it was sent
	ambiguous   bool // must not be sent again once it was sent and may have arrived
	slot        bool // counts against the limit of operations in flight

	state atomic.Int32 // opIdle …

	// Guarded by core.mu.
	id       wire.CorrelationID // on the current connection
	seq      uint64             // order in which operations were started; kept when they are sent again
	tries    int                // times it was tried again
	deadline time.Time          // zero = none
	resendAt time.Time          // zero = it is with a connection, or will be with the next one
	everSent bool               // by an earlier connection, or earlier on this one
	lost     bool               // was sent before, and never answered: it may have been carried out
	finished bool

	started time.Time       // if there are hooks
	err     error           // before done is closed
	done    chan struct{}   // closed when the op has ended
	watched <-chan struct{} // ends the op as well: the Done of its context
	notify  func()          // called once when the op has ended, from any goroutine; must not block
}

// Where an op is. The writer moves it from queued to sent, and whoever ends it from queued to dead: so that one of them
// knows for sure that not a byte was sent.
const (
	opIdle int32 = iota // with no connection
	opQueued
	opSent // or about to be
	opDead
)

// handler looks at the answers to an op, in the goroutine that reads them. It must not block.
type handler interface {
	// handle looks at an answer. p is valid during the call, unless it is detached from r.
	handle(p *wire.Package, r *wire.Reader) verdict
}

// liveHandler is the handler of a subscription, which ends with its connection, or is made anew with the next one.
type liveHandler interface {
	handler
	// lost tells that the connection broke, and reports whether the op shall be sent again over the next one.
	lost(cause error) bool
	// failed tells that the op has ended.
	failed(err error)
}

// verdict is what an answer means for an op.
type verdict struct {
	kind verdictKind
	err  error // of done: nil = success; of retry: why
	node Endpoint
}

type verdictKind uint8

const (
	doneVerdict     verdictKind = iota // the op has ended
	goOnVerdict                        // more answers follow (subscriptions)
	retryVerdict                       // send it again, after a while
	redirectVerdict                    // send it again, over a connection to another node
	brokenVerdict                      // the answer makes no sense: the op has failed, and the connection is of no use
)

func done(err error) verdict  { return verdict{kind: doneVerdict, err: err} }
func goOn() verdict           { return verdict{kind: goOnVerdict} }
func retry(why error) verdict { return verdict{kind: retryVerdict, err: why} }
func broken(cmd wire.Command, err error) verdict {
	return verdict{kind: brokenVerdict, err: protocolError(cmd, err)}
}

// unexpected is the verdict on an answer of the wrong kind.
func unexpected(p *wire.Package) verdict {
	return broken(p.Command, errors.New("not an answer to this request"))
}

// handlerFunc makes a handler of a function that only wants one kind of answer.
type handlerFunc struct {
	want wire.Command
	fn   func(p *wire.Package, r *wire.Reader) verdict
}

func (h handlerFunc) handle(p *wire.Package, r *wire.Reader) verdict {
	if p.Command != h.want {
		return unexpected(p)
	}
	return h.fn(p, r)
}

// newOp makes an op with the settings of a call. fill appends the payload.
func (c *Client) newOp(name, input string, cmd wire.Command, h handler, fill func(dst []byte) []byte) *op {
	o := &op{}
	frame, start := c.initOp(o, name, input, cmd, h)
	if fill != nil {
		frame = fill(frame)
	}
	c.core.seal(o, frame, start)
	return o
}

// initOp begins an op. The caller appends the payload to frame, and seals it.
func (c *Client) initOp(o *op, name, input string, cmd wire.Command, h handler) (frame []byte, start int) {
	o.name, o.input, o.cmd, o.handler = name, input, cmd, h
	o.timeout, o.retries, o.slot = c.call.Timeout, c.call.Retries, true
	o.done = make(chan struct{})
	return wire.BeginFrame(c.core.scratch(), cmd, 0, wire.CorrelationID{}, c.call.Credentials.auth())
}

// scratch returns an empty buffer to encode in. An op keeps a copy of just the right size.
func (c *core) scratch() []byte {
	if b, ok := c.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 4<<10)
}

// maxScratch bounds what a buffer may have grown to, to be kept.
const maxScratch = 1 << 20

func (c *core) seal(o *op, frame []byte, start int) {
	o.frame = bytes.Clone(wire.EndFrame(frame, start))
	if cap(frame) <= maxScratch {
		c.buffers.Put(&frame)
	}
}

// setID fills the correlation id into the frame.
func (o *op) setID(id wire.CorrelationID) {
	o.id = id
	copy(o.frame[correlationAt:], id[:])
}

const correlationAt = 6 // in a frame: after length, command and flags

// wrap makes the error of an op that has ended. uncertain says that no server has decided about it.
func (o *op) wrap(err error, sent, uncertain bool) error {
	if err == nil {
		return nil
	}
	if uncertain && sent && o.write {
		err = &joined{text: err, also: ErrUnknownOutcome}
	}
	return &opError{op: o.name, input: o.input, sent: sent, err: err}
}

// do runs an op to its end, or that of ctx.
func (c *Client) do(ctx context.Context, o *op) error {
	if err := c.core.acquire(ctx, o); err != nil {
		return err
	}
	if err := c.core.submit(o); err != nil {
		return err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		c.core.abandon(o, context.Cause(ctx))
		<-o.done
	}
	return o.err
}

func invalidArgument(op, input, format string, args ...any) error {
	return &opError{op: op, input: input, err: fmt.Errorf("%w: "+format, append([]any{ErrInvalidArgument}, args...)...)}
}
