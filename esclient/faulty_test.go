package esclient_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"

	"github.com/photonpump/projector/esclient"
)

// network opens connections that break on demand.
type network struct {
	dial   esclient.DialFunc
	budget func() int64 // bytes that a new connection carries before it breaks; nil = any number

	mu      sync.Mutex
	dialled bool
	conns   map[*brittleConn]struct{}
	cuts    atomic.Int64
}

// introduction is more than a client and a server say when they meet: the first connection carries so much in any case,
// as Dial fails if it does not.
const introduction = 1000

func newNetwork() *network {
	return &network{dial: (&net.Dialer{}).DialContext, conns: map[*brittleConn]struct{}{}}
}

func (n *network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &brittleConn{Conn: raw, network: n}
	c.left.Store(1 << 62)
	if n.budget != nil {
		c.left.Store(n.budget())
		if !n.dialled {
			c.left.Add(introduction)
		}
	}
	n.dialled = true
	n.conns[c] = struct{}{}
	return c, nil
}

// cut breaks all connections.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		n.cuts.Add(1)
		_ = c.Conn.Close()
		delete(n.conns, c)
	}
}

// randomBudget is a number of bytes around mean, of any size.
func randomBudget(mean int64) func() int64 {
	return func() int64 { return rand.Int64N(2 * mean) }
}

// brittleConn breaks after so many bytes, in either direction, in the middle of a read or write.
type brittleConn struct {
	net.Conn
	network *network
	left    atomic.Int64
}

func (c *brittleConn) take(n int) (allowed int, ok bool) {
	left := c.left.Add(-int64(n))
	if left >= 0 {
		return n, true
	}
	return max(0, n+int(max(left, -1<<30))), false
}

func (c *brittleConn) broken() {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if _, ok := c.network.conns[c]; ok {
		c.network.cuts.Add(1)
		delete(c.network.conns, c)
	}
	_ = c.Conn.Close()
}

func (c *brittleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	allowed, ok := c.take(n)
	if !ok {
		c.broken()
		if allowed == 0 {
			return 0, net.ErrClosed
		}
		return allowed, net.ErrClosed
	}
	return n, err
}

func (c *brittleConn) Write(p []byte) (int, error) {
	allowed, ok := c.take(len(p))
	if !ok {
		n, _ := c.Conn.Write(p[:allowed])
		c.broken()
		return n, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *brittleConn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
