package soak

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// link is a way to a server that can fall silent or be cut.
type link struct {
	url      string // of the server, through the link
	server   string
	listener net.Listener
	frozen   chan struct{}
	freeze   func() // nothing passes any more, and nothing is said about it
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn // nil once it is cut
	isCut bool
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{server: u.Host, listener: listener, frozen: make(chan struct{})}
	u.Host = listener.Addr().String()
	l.url = u.String()
	l.freeze = sync.OnceFunc(func() { close(l.frozen) })
	l.wg.Go(l.accept)
	t.Cleanup(l.cut)
	return l
}

// cut ends all connections, and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	_ = l.listener.Close() // it may be closed already
	for _, c := range l.conns {
		_ = c.Close() // it may be closed already
	}
	l.conns, l.isCut = nil, true
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *link) accept() { // ends with the listener
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).Dial("tcp", l.server) //nolint:noctx // the loopback address answers at once
		if err != nil {
			_ = client.Close() // nothing was sent
			continue
		}
		l.mu.Lock()
		if l.conns = append(l.conns, client, server); l.isCut {
			_, _ = client.Close(), server.Close() // nothing was sent
		}
		l.mu.Unlock()
		l.wg.Go(func() { l.pass(client, server) }) // ends with either
		l.wg.Go(func() { l.pass(server, client) }) // ends with either
	}
}

func (l *link) pass(from, to net.Conn) {
	_, _ = io.Copy(to, gated{from, l.frozen}) // both ends see that it has ended
	_, _ = from.Close(), to.Close()
}

// gated passes on what it reads until it is frozen.
type gated struct {
	net.Conn
	frozen <-chan struct{}
}

func (g gated) Read(p []byte) (int, error) {
	for {
		n, err := g.Conn.Read(p)
		select {
		case <-g.frozen:
			if err != nil {
				return 0, err
			}
		default:
			return n, err
		}
	}
}
