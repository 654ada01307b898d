package esclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// peer is the server's side of a network in memory, played by the test.
type peer struct {
	t      testing.TB
	accept chan net.Conn
	down   bool // nobody listens

	mu      sync.Mutex
	dialled []string
}

func newPeer(t testing.TB) *peer { return &peer{t: t, accept: make(chan net.Conn, 16)} }

func (p *peer) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialled = append(p.dialled, address)
	if p.down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	p.accept <- theirs
	return ours, nil
}

func (p *peer) addresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.dialled...)
}

func (p *peer) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// session is one connection as the server sees it.
type session struct {
	t      testing.TB
	conn   net.Conn
	reader *wire.Reader
}

// next waits for a connection and answers its introduction.
func (p *peer) next() *session {
	s := p.open()
	s.reply(s.expect(wire.IdentifyClient), wire.ClientIdentified, nil)
	return s
}

// secure is next over TLS.
func (p *peer) secure(certificate tls.Certificate) *session {
	conn := tls.Server(<-p.accept, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	s := &session{t: p.t, conn: conn, reader: wire.NewReader(conn, 0, nil)}
	s.reply(s.expect(wire.IdentifyClient), wire.ClientIdentified, nil)
	return s
}

// open waits for a connection.
func (p *peer) open() *session {
	conn := <-p.accept
	return &session{t: p.t, conn: conn, reader: wire.NewReader(conn, 0, nil)}
}

// read returns the next request but heartbeats' answers; ok is false when the connection is over.
func (s *session) read() (pkg wire.Package, ok bool) {
	for {
		pkg, err := s.reader.Next()
		if err != nil {
			return pkg, false
		}
		switch pkg.Command {
		case wire.HeartbeatRequest:
			s.reply(pkg, wire.HeartbeatResponse, nil)
		case wire.HeartbeatResponse:
		default:
			s.reader.Detach(&pkg)
			return pkg, true
		}
	}
}

func (s *session) expect(cmd wire.Command) wire.Package {
	s.t.Helper()
	pkg, ok := s.read()
	if !ok || pkg.Command != cmd {
		s.t.Errorf("got %v (%v), want %v", pkg.Command, ok, cmd)
	}
	return pkg
}

func (s *session) reply(to wire.Package, cmd wire.Command, payload []byte) {
	s.send(wire.AppendPackage(nil, &wire.Package{Command: cmd, Correlation: to.Correlation, Payload: payload}))
}

func (s *session) replyProto(to wire.Package, cmd wire.Command, m proto.Message) {
	b, err := proto.Marshal(m)
	if err != nil {
		s.t.Error(err)
	}
	s.reply(to, cmd, b)
}

func (s *session) send(frame []byte) { _, _ = s.conn.Write(frame) }

func (s *session) close() { _ = s.conn.Close() }

// drain reads whatever comes until the connection is over, and answers heartbeats.
func (s *session) drain() {
	for {
		if _, ok := s.read(); !ok {
			s.close()
			return
		}
	}
}

// mute reads whatever comes and answers nothing.
func (s *session) mute() { _, _ = io.Copy(io.Discard, s.conn) }

// wrote answers an append as written from number first on.
func (s *session) wrote(to wire.Package, first int64) {
	var m wire.WriteEventsBody
	if err := m.Decode(to.Payload); err != nil {
		s.t.Error(err)
	}
	body := wire.WriteEventsCompletedBody{First: first, Last: first + int64(len(m.Events)) - 1}
	s.reply(to, wire.WriteEventsCompleted, body.Append(nil))
}

// dialPeer connects a client without credentials to a peer that play plays.
func dialPeer(t testing.TB, p *peer, opts ...esclient.Option) *esclient.Client {
	t.Helper()
	c, err := esclient.Dial(t.Context(), "tcp://node:1113", append([]esclient.Option{esclient.WithDialer(p.DialContext)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pipeNetwork is a listener in memory, for nodes under synctest.
type pipeNetwork struct {
	accept chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPipeNetwork() *pipeNetwork {
	return &pipeNetwork{accept: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeNetwork) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeNetwork) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeNetwork) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1113} }

func (l *pipeNetwork) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.accept <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipeSetup starts a node on a network in memory and connects a client to it. The caller closes both, inside the bubble.
func pipeSetup(t *testing.T, nodeOpts []esnode.Option, opts ...esclient.Option) (c *esclient.Client, node *esnode.Node, network *pipeNetwork) {
	t.Helper()
	network = newPipeNetwork()
	node, err := esnode.Start(append([]esnode.Option{esnode.Listener(network)}, nodeOpts...)...)
	if err != nil {
		t.Fatal(err)
	}
	c, err = esclient.Dial(t.Context(), node.URL(), append([]esclient.Option{esclient.WithDialer(network.DialContext)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c, node, network
}
