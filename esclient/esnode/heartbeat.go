package esnode

import "github.com/photonpump/projector/esclient/internal/wire"

// The node looks at each connection once per interval. If nothing came in since the last look, or nothing went out, it
// sends a probe; if nothing came in at all until the time-out after such a probe, it hangs up.

func (c *conn) startHeartbeat() {
	if c.node.cfg.interval > 0 {
		c.beatIn(c.received.Load(), c.out.total())
	}
}

// stopHeartbeat makes that no further look is taken.
func (c *conn) stopHeartbeat() {
	c.closing.Store(true)
	if stop := c.stopBeat.Load(); stop != nil {
		(*stop)()
	}
}

func (c *conn) beatIn(received, sent int64) {
	stop := c.node.cfg.clock.AfterFunc(c.node.cfg.interval, func() { c.beat(received, sent) })
	c.stopBeat.Store(&stop)
	if c.closing.Load() {
		stop()
	}
}

func (c *conn) beat(received, sent int64) {
	if c.closing.Load() {
		return
	}
	nowReceived, nowSent := c.received.Load(), c.out.total()
	if nowReceived == received || nowSent == sent {
		c.send(HeartbeatRequest, wire.CorrelationID(newGUID()), nil)
	}
	if nowReceived == received {
		c.node.cfg.clock.AfterFunc(c.node.cfg.timeout, func() {
			if c.received.Load() == nowReceived && !c.closing.Load() {
				c.log.Warn("client does not answer heartbeats", "timeout", c.node.cfg.timeout)
				c.drop()
			}
		})
	}
	c.beatIn(nowReceived, nowSent)
}
