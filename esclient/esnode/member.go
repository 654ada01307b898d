package esnode

import (
	"errors"
	"net"
	"sync/atomic"
)

// member is one of the servers that share the log of a node: its listeners and its part in the cluster. A node that is no
// cluster has one.
type member struct {
	node  *Node
	index int
	tcp   net.Listener
	tls   net.Listener
	state atomic.Int32 // memberState
}

func (m *member) leads() bool { return true }

// listen opens the listeners.
func (m *member) listen() (err error) {
	cfg := &m.node.cfg
	if m.tcp = cfg.listener; m.tcp == nil || m.index > 0 {
		if m.tcp, err = net.Listen("tcp", cfg.listen); err != nil {
			return err
		}
	}
	return nil
}

// serve accepts clients. Its goroutines end when stop closes the listeners.
func (m *member) serve() {
	m.node.work.Go(func() { m.accept(m.tcp) })
	if m.tls != nil {
		m.node.work.Go(func() { m.accept(m.tls) })
	}
}

func (m *member) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && m.node.ctx.Err() == nil {
				m.node.cfg.log.Error("accept failed", "err", err)
			}
			return
		}
		c := m.node.newConn(m, nc)
		if !m.node.conns.add(c) {
			_ = nc.Close()
			continue
		}
		m.node.work.Go(func() {
			defer m.node.conns.remove(c)
			c.serve()
		})
	}
}

func (m *member) stop() {
	if m.tcp != nil {
		_ = m.tcp.Close()
	}
	if m.tls != nil {
		_ = m.tls.Close()
	}
}

func (m *member) httpURL() string { return "" }

// redirected answers a request that this member may not serve, and reports whether it did.
func (c *conn) redirected(*request, bool) bool { return false }

// redirectedRead is redirected for reads.
func (c *conn) redirectedRead(*request, bool) bool { return false }
