package esclient

import "context"

// watches end ops with their context. Many ops in flight usually share one, and a registration with it costs more than
// an append, so there is one for each context for as long as it has ops in flight.
type watches map[<-chan struct{}]*watch

type watch struct {
	ops  int
	stop func() bool
}

// watch makes an op end with ctx. c.mu is held.
func (c *core) watch(ctx context.Context, o *op) {
	if ctx.Done() == nil {
		return
	}
	o.watched = ctx.Done()
	w := c.watches[o.watched]
	if w == nil {
		w = &watch{}
		c.watches[o.watched] = w
		w.stop = context.AfterFunc(ctx, func() { c.contextEnded(ctx) })
	}
	w.ops++
}

// unwatch is the end of it. c.mu is held.
func (c *core) unwatch(o *op) {
	w := c.watches[o.watched]
	if o.watched == nil || w == nil {
		return
	}
	if w.ops--; w.ops == 0 {
		w.stop()
		delete(c.watches, o.watched)
	}
}

func (c *core) contextEnded(ctx context.Context) {
	c.mu.Lock()
	var ops []*op
	for _, o := range c.inOrder() {
		if o.watched == ctx.Done() {
			ops = append(ops, o)
		}
	}
	c.mu.Unlock()
	for _, o := range ops {
		c.abandon(o, context.Cause(ctx))
	}
}
