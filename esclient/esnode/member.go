package esnode

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// acceptPause is how long no client is accepted after that failed.
const acceptPause = 100 * time.Millisecond

// member is one of the servers that share the log of a node: its listeners and its part in the cluster. A node that is no
// cluster has one.
type member struct {
	node     *Node
	index    int
	instance string // id in gossip
	tcp      net.Listener
	tls      net.Listener
	http     *httpServer
	dead     atomic.Bool
}

// leads reports whether the member is the leader, as far as the others know.
func (m *member) leads() bool { return int(m.node.leading.Load()) == m.index }

// alive reports what the others think: the death of a leader is noticed with the election of the next.
func (m *member) alive() bool { return !m.dead.Load() || m.leads() }

// gossipState returns the state of the member in the words of the version.
func (m *member) gossipState() string {
	leader, follower := "Master", "Slave"
	if m.node.cfg.version20 {
		leader, follower = "Leader", "Follower"
	}
	switch {
	case !m.alive():
		return "Unknown"
	case m.leads():
		return leader
	}
	return follower
}

// listen opens the listeners.
func (m *member) listen() (err error) {
	cfg := &m.node.cfg
	m.instance = uuid.NewString()
	if m.tcp = cfg.listener; m.tcp == nil || m.index > 0 {
		if m.tcp, err = net.Listen("tcp", cfg.listen); err != nil {
			return err
		}
	}
	if cfg.tlsListen != "" {
		plain, err := net.Listen("tcp", cfg.tlsListen)
		if err != nil {
			return err
		}
		m.tls = tls.NewListener(plain, m.node.tlsConfig)
	}
	if cfg.http {
		return m.listenHTTP()
	}
	return nil
}

// serve accepts clients. Its goroutines end when stop closes the listeners.
func (m *member) serve() {
	m.node.work.Go(func() { m.accept(m.tcp) })
	if m.tls != nil {
		m.node.work.Go(func() { m.accept(m.tls) })
	}
	if m.http != nil {
		m.node.work.Go(m.http.serve)
	}
}

func (m *member) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || m.node.ctx.Err() != nil || m.dead.Load() {
				return
			}
			m.node.cfg.log.Error("accept failed", "err", err) // such as too many open files
			select {
			case <-m.node.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
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

// stop closes the listeners.
func (m *member) stop() {
	if m.tcp != nil {
		_ = m.tcp.Close()
	}
	if m.tls != nil {
		_ = m.tls.Close()
	}
	if m.http != nil {
		_ = m.http.server.Close()
		_ = m.http.listener.Close()
	}
}

// kill ends a member like a process that dies.
func (m *member) kill() {
	m.dead.Store(true)
	m.stop()
	for _, c := range m.node.conns.all() {
		if c.member == m {
			c.drop()
		}
	}
}

func (m *member) httpURL() string {
	if m.http == nil {
		return ""
	}
	return m.http.url()
}
