package esnode

import (
	"net"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

type replayConn struct {
	nc      net.Conn
	frames  chan wire.Package
	pending []wire.Package
	ended   chan struct{}
}

func newReplayConn(nc net.Conn, answerProbes bool) *replayConn {
	c := &replayConn{nc: nc, frames: make(chan wire.Package, 10_000), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		in := wire.NewReader(nc, 0, nil)
		for {
			p, err := in.Next()
			if err != nil {
				return
			}
			p.Payload = append([]byte(nil), p.Payload...)
			if p.Command == wire.HeartbeatRequest && answerProbes {
				_, _ = nc.Write(wire.AppendPackage(nil, &wire.Package{Command: wire.HeartbeatResponse, Correlation: p.Correlation}))
				continue
			}
			c.frames <- p
		}
	}()
	return c
}

func (c *replayConn) drain() {
	for {
		select {
		case p := <-c.frames:
			c.pending = append(c.pending, p)
		default:
			return
		}
	}
}

// await returns the next package of the command and id.
func (c *replayConn) await(want wire.Package) (wire.Package, bool) {
	match := func(p wire.Package) bool {
		return p.Command == want.Command && (p.Correlation == want.Correlation || p.Command == wire.HeartbeatRequest)
	}
	for i, p := range c.pending {
		if match(p) {
			c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
			return p, true
		}
	}
	limit := time.After(8 * time.Second)
	for {
		select {
		case p := <-c.frames:
			if match(p) {
				return p, true
			}
			c.pending = append(c.pending, p)
		case <-limit:
			return wire.Package{}, false
		case <-c.ended:
			select {
			case p := <-c.frames:
				if match(p) {
					return p, true
				}
				c.pending = append(c.pending, p)
			default:
				return wire.Package{}, false
			}
		}
	}
}
