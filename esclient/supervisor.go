package esclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// errHeartbeat ends a connection whose peer is silent.
var errHeartbeat = errors.New("no heartbeat from the server in time")

// run keeps a connection until the client is closed or may not try any longer. It owns the goroutines of the connection,
// one connection at a time.
func (c *core) run() {
	failures := 0
	redirects := 0 // in a row; only the first one is followed at once, as in an election nodes may name each other
	first := true
	for c.ctx.Err() == nil {
		cn, err := c.connect(max(failures, redirects-1))
		if err != nil {
			if c.ctx.Err() != nil {
				break
			}
			failures++
			gaveUp := c.cfg.reconnect.Attempts != Unlimited && failures >= c.cfg.reconnect.Attempts
			if first && !c.cfg.lazy {
				c.shutdown(err) // Dial returns it
				break
			}
			if gaveUp {
				c.shutdown(&joined{text: err, also: ErrClosed})
				break
			}
			c.log.Warn("connecting failed", logErr, err, logAttempt, failures)
			continue
		}
		first = false
		cause := c.serve(cn)
		if cn.useful.Load() {
			failures = 0
		} else {
			failures++
		}
		var redirect *redirectError
		switch {
		case !errors.As(cause, &redirect):
			redirects = 0
		case time.Since(cn.born) > c.cfg.reconnect.Max:
			failures, redirects = 0, 1
		default:
			failures, redirects = 0, redirects+1
		}
	}
	c.tellDial(context.Cause(c.ctx))
	c.notify(ConnEvent{State: Closed, Err: context.Cause(c.ctx)})
	c.log.Info("closed", logErr, context.Cause(c.ctx))
}

// serve runs a connection until it dies, and returns why.
func (c *core) serve(cn *conn) error {
	address := cn.endpoint.String()
	cn.log.Info("connected")
	c.notify(ConnEvent{State: Connected, Address: address})
	cn.start()
	c.attach(cn)
	c.tellDial(nil)
	c.guard(cn)
	cn.stopped()
	cause := cn.cause()
	c.detach(cause)
	if c.ctx.Err() == nil {
		cn.log.Warn("disconnected", logErr, cause)
		c.notify(ConnEvent{State: Disconnected, Address: address, Err: cause})
	}
	return cause
}

// guard sends heartbeats when the peer is silent, and ends the connection when it stays so, or when the client is closed.
func (c *core) guard(cn *conn) {
	timer := time.NewTimer(c.cfg.interval)
	defer timer.Stop()
	var asked time.Duration // when, since the connection was made; 0 = not, or it was answered
	for {
		select {
		case <-cn.dead:
			return
		case <-c.ctx.Done():
			cn.finish()
			return
		case <-timer.C:
		}
		read := time.Duration(cn.lastRead.Load())
		if read >= asked {
			asked = 0
		}
		silence := time.Since(cn.born) - read
		switch {
		case silence < c.cfg.interval:
			timer.Reset(c.cfg.interval - silence)
		case asked == 0:
			asked = time.Since(cn.born)
			cn.probe()
			timer.Reset(min(c.cfg.interval, c.cfg.timeout))
		case silence < c.cfg.interval+c.cfg.timeout:
			timer.Reset(c.cfg.interval + c.cfg.timeout - silence)
		default:
			cn.fail(fmt.Errorf("%w: silent for %v", errHeartbeat, silence.Round(time.Millisecond)))
			return
		}
	}
}

// connect waits as long as it must after so many failures, and makes one attempt: it finds a node, opens a connection,
// and introduces itself.
func (c *core) connect(failures int) (*conn, error) {
	if failures > 0 {
		delay := c.cfg.reconnect.delay(failures)
		c.notify(ConnEvent{State: Reconnecting, Attempt: failures, Delay: delay})
		if err := pause(c.ctx, delay); err != nil {
			return nil, err
		}
	}
	endpoint, err := c.locate()
	if err != nil {
		return nil, err
	}
	return c.open(endpoint)
}

// delay grows from Min to Max, less a random part of up to one half, so that many clients do not come at once.
func (b Backoff) delay(failures int) time.Duration {
	d := b.Min
	for range min(failures-1, 30) {
		if d = 2 * d; d >= b.Max {
			d = b.Max
			break
		}
	}
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *core) notify(e ConnEvent) {
	if c.cfg.observer != nil {
		c.cfg.observer(e)
	}
}

// tellDial gives Dial, if it still waits, the outcome of the first attempt.
func (c *core) tellDial(err error) {
	select {
	case c.ready <- err:
	default:
	}
}
