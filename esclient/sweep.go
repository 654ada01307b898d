package esclient

import "time"

// sweepPause is the least time between two sweeps, so that a thousand deadlines close to each other take one.
const sweepPause = 10 * time.Millisecond

// wakeAt makes sure that sweep runs at t. c.mu is held.
func (c *core) wakeAt(t time.Time) {
	if !c.sweepAt.IsZero() && !t.Before(c.sweepAt) {
		return
	}
	c.sweepAt = t
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// sweepLoop sends ops again whose delay is over, and ends or repeats those that got no answer in time. It ends with the
// client.
func (c *core) sweepLoop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.kick:
		case <-timer.C:
			c.sweep(time.Now())
		}
		c.mu.Lock()
		at := c.sweepAt
		c.mu.Unlock()
		if at.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(time.Until(at), 0))
		}
	}
}

func (c *core) sweep(now time.Time) {
	var late []*op
	c.mu.Lock()
	c.sweepAt = time.Time{}
	var next time.Time
	due := false
	for _, o := range c.pending {
		due = due || !o.resendAt.IsZero() && !o.resendAt.After(now)
		for _, t := range []time.Time{o.resendAt, o.deadline} {
			if !t.IsZero() && t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
		if !o.deadline.IsZero() && !o.deadline.After(now) {
			late = append(late, o)
		}
	}
	if due {
		for _, o := range c.inOrder() {
			if !o.resendAt.IsZero() && !o.resendAt.After(now) {
				c.send(o)
			}
		}
	}
	if !next.IsZero() {
		c.wakeAt(later(next, now.Add(sweepPause)))
	}
	c.mu.Unlock()
	for _, o := range late {
		c.timedOut(o, now)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// timedOut repeats an op, or ends it. One that still waits for the connection, or to be written, is not sent twice, but
// its tries are used up as well: nothing waits for ever.
func (c *core) timedOut(o *op, now time.Time) {
	c.mu.Lock()
	if o.finished || o.deadline.IsZero() || o.deadline.After(now) {
		c.mu.Unlock()
		return
	}
	o.tries++
	c.retried.Add(1)
	why := ErrTimeout
	if c.conn == nil {
		why = ErrNotConnected
	}
	sent := o.everSent || o.state.Load() == opSent
	if o.exhausted() || o.ambiguous && sent {
		c.mu.Unlock()
		c.abandon(o, o.gaveUp(why))
		return
	}
	if o.state.Load() == opSent {
		o.lost = true
		c.send(o)
	} else {
		o.deadline = now.Add(o.timeout)
		c.wakeAt(o.deadline)
	}
	c.mu.Unlock()
}
