package esclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// core is what all views of a client share: the table of pending operations, and the connection if there is one.
//
// Lock order: core.mu, then conn.mu. Handlers are called without either.
type core struct {
	cfg     config
	log     *slog.Logger
	pool    wire.Pool     // of pages that arrive
	buffers sync.Pool     // to encode in
	slots   chan struct{} // one element for each operation in flight

	ctx    context.Context // of the client's life
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	ready  chan error // the outcome of the first attempt to connect
	kick   chan struct{}

	mu            sync.Mutex
	conn          *conn // nil = not connected
	closed        error // nil = open
	watches       watches
	pending       map[wire.CorrelationID]*op
	subscriptions map[*Subscription]struct{}
	seq           uint64
	sweepAt       time.Time // when sweep runs next; zero = when it is kicked
	redirect      Endpoint  // where the next connection goes; zero = as configured
	node          Node      // that the current or last connection is to, as far as known

	known []string // HTTP addresses of the last gossip; used by run only

	operations, retried, received, sentBytes, connections atomic.Int64
}

func newCore(cfg config) *core {
	c := &core{
		cfg: cfg, log: cfg.log, slots: make(chan struct{}, cfg.inFlight), ready: make(chan error, 1),
		kick: make(chan struct{}, 1), pending: map[wire.CorrelationID]*op{}, watches: watches{}, subscriptions: map[*Subscription]struct{}{}, seq: firstOpID,
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// acquire waits until one more operation may be in flight.
func (c *core) acquire(ctx context.Context, o *op) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return o.wrap(context.Cause(ctx), false, false)
	case <-c.ctx.Done():
		return o.wrap(context.Cause(c.ctx), false, false)
	}
}

// submit starts an op. Ops are sent in the order of submit.
func (c *core) submit(o *op) error { return c.submitWith(context.Background(), o) }

// submitWith starts an op that ends with ctx.
func (c *core) submitWith(ctx context.Context, o *op) error {
	if c.cfg.hooks != nil {
		o.started = time.Now()
	}
	c.mu.Lock()
	if c.closed != nil {
		err := c.closed
		c.mu.Unlock()
		c.release(o)
		return o.wrap(err, false, false)
	}
	c.seq++
	o.seq = c.seq
	c.watch(ctx, o)
	c.send(o)
	c.mu.Unlock()
	return nil
}

// send gives an op to the connection under a new id, so that a late answer to an earlier sending finds nobody. Without a
// connection it waits for the next one. c.mu is held.
func (c *core) send(o *op) {
	if o.state.Swap(opIdle) == opSent {
		o.everSent = true
	}
	if o.everSent {
		o.frame = bytes.Clone(o.frame) // the writer may still be at the old one
	}
	delete(c.pending, o.id)
	o.setID(c.nextID())
	c.pending[o.id] = o
	o.resendAt = time.Time{}
	if o.timeout > 0 {
		o.deadline = time.Now().Add(o.timeout)
		c.wakeAt(o.deadline)
	}
	if c.conn != nil {
		o.state.Store(opQueued)
		c.conn.enqueue(item{op: o, frame: o.frame})
	}
}

// nextID returns a correlation id that was not used before. c.mu is held.
func (c *core) nextID() (id wire.CorrelationID) {
	c.seq++
	binary.BigEndian.PutUint64(id[8:], c.seq)
	return id
}

// control sends a frame that no answer is waited for.
func (c *core) control(cn *conn, cmd wire.Command, id wire.CorrelationID, payload []byte) {
	cn.enqueue(item{frame: wire.AppendPackage(nil, &wire.Package{Command: cmd, Correlation: id, Payload: payload})})
}

// abandon ends an op that no server has decided about.
func (c *core) abandon(o *op, cause error) { c.end(o, cause, true) }

// finish ends an op as a server has decided.
func (c *core) finish(o *op, err error) { c.end(o, err, false) }

func (c *core) end(o *op, err error, uncertain bool) {
	c.mu.Lock()
	if o.finished {
		c.mu.Unlock()
		return
	}
	o.finished = true
	delete(c.pending, o.id)
	o.state.CompareAndSwap(opQueued, opDead)
	sent := o.everSent || o.state.Load() == opSent
	tries := o.tries
	c.unwatch(o)
	c.mu.Unlock()
	o.err = o.wrap(err, sent, uncertain)
	close(o.done)
	c.release(o)
	c.operations.Add(1)
	if c.cfg.hooks != nil && !errors.Is(err, errNotWanted) {
		c.cfg.hooks.Operation(o.name, time.Since(o.started), tries, o.err)
	}
	if h, ok := o.handler.(liveHandler); ok {
		h.failed(o.err)
	}
	if o.notify != nil {
		o.notify()
	}
}

func (c *core) release(o *op) {
	if o.slot {
		<-c.slots
	}
}

// again sends an op once more after a delay that grows with the number of tries, or ends it if it has used up its tries.
func (c *core) again(o *op, why error) {
	c.mu.Lock()
	if o.finished {
		c.mu.Unlock()
		return
	}
	o.tries++
	c.retried.Add(1)
	if o.exhausted() {
		uncertain := o.lost || errors.Is(why, ErrTimeout) // else each sending was refused
		c.mu.Unlock()
		c.end(o, o.gaveUp(why), uncertain)
		return
	}
	o.resendAt = time.Now().Add(retryDelay(o.tries))
	o.deadline = time.Time{}
	c.wakeAt(o.resendAt)
	c.mu.Unlock()
}

func (o *op) exhausted() bool { return o.retries != Unlimited && o.tries > max(o.retries, 0) }

func (o *op) gaveUp(why error) error {
	if o.tries <= 1 {
		return why
	}
	return fmt.Errorf("%w, after %d tries", why, o.tries)
}

// retryDelay is how long a server that could not handle a request is left alone.
func retryDelay(tries int) time.Duration {
	return min(25*time.Millisecond<<min(tries, 10), time.Second)
}

// attach makes cn the connection, and sends everything that waited, in the order in which it was started.
func (c *core) attach(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = cn
	c.connections.Add(1)
	for _, o := range c.inOrder() {
		c.send(o)
	}
}

// inOrder returns the pending ops in the order in which they were started. c.mu is held.
func (c *core) inOrder() []*op {
	all := make([]*op, 0, len(c.pending))
	for _, o := range c.pending {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *op) int { return int(int64(a.seq - b.seq)) })
	return all
}

// detach tells every pending op that the connection is gone.
func (c *core) detach(cause error) {
	c.mu.Lock()
	c.conn = nil
	ops := c.inOrder()
	type ended struct {
		op  *op
		err error
	}
	var live []*op
	var failed []ended
	for _, o := range ops {
		wasSent := o.state.Swap(opIdle) == opSent
		o.everSent = o.everSent || wasSent
		if _, ok := o.handler.(liveHandler); ok {
			live = append(live, o)
			continue
		}
		if !wasSent || o.resendAt != (time.Time{}) {
			continue
		}
		o.lost = true
		o.tries++
		c.retried.Add(1)
		if o.ambiguous || o.exhausted() {
			failed = append(failed, ended{o, o.gaveUp(fmt.Errorf("%w: %w", ErrNotConnected, cause))})
		}
	}
	c.mu.Unlock()
	for _, f := range failed {
		c.abandon(f.op, f.err)
	}
	for _, o := range live {
		if !o.handler.(liveHandler).lost(cause) {
			c.abandon(o, fmt.Errorf("%w: %w", ErrNotConnected, cause))
		}
	}
}

// shutdown fails everything that is pending and to come.
func (c *core) shutdown(err error) {
	c.mu.Lock()
	if c.closed == nil {
		c.closed = err
	}
	ops := c.inOrder()
	subscriptions := slices.Collect(maps.Keys(c.subscriptions))
	c.mu.Unlock()
	c.cancel(err)
	for _, o := range ops {
		c.abandon(o, err)
	}
	for _, s := range subscriptions {
		s.end(err)
	}
}
