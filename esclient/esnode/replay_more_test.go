package esnode

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

func conversation(t *testing.T, name string) wiretest.Conversation {
	t.Helper()
	for _, c := range wiretest.Conversations(t) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no conversation %s", name)
	return wiretest.Conversation{}
}

func startNode(t *testing.T, opts ...Option) *Node {
	t.Helper()
	n, err := Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestReplayTLS plays the conversation over the TLS port, then plain bytes to that port, and a handshake to the plain one.
func TestReplayTLS(t *testing.T) {
	t.Parallel()
	c := conversation(t, "132-tls")
	n := startNode(t, TLS("127.0.0.1:0", nil))
	pool := x509.NewCertPool()
	pool.AddCert(n.Certificate())
	r := newReplayer(t, c, n, nil)
	r.dial = func() (net.Conn, error) {
		addr := n.members[0].tls.Addr().String()
		if len(r.conns) > 0 {
			return net.Dial("tcp", addr)
		}
		return tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
	}
	r.run()
	if _, err := tls.Dial("tcp", n.Addr().String(), &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a TLS handshake on the plain port succeeded")
	}
}

// TestReplayCluster plays requests to the leader and to a follower.
func TestReplayCluster(t *testing.T) {
	t.Parallel()
	c := conversation(t, "150-cluster-follower")
	cl, err := StartCluster(3, TLS("127.0.0.1:0", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := newReplayer(t, c, cl.node, nil)
	r.dial = func() (net.Conn, error) { return net.Dial("tcp", cl.node.members[len(r.conns)].tcp.Addr().String()) }
	r.cluster = cl
	r.run()
}

// TestReplayLeaderKilled plays what clients see while the leader dies and another is elected.
func TestReplayLeaderKilled(t *testing.T) {
	t.Parallel()
	c := conversation(t, "152-cluster-master-killed")
	cl, err := StartCluster(3, TLS("127.0.0.1:0", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := newReplayer(t, c, cl.node, nil)
	r.dial = func() (net.Conn, error) {
		at := []int{0, 1, 1}[len(r.conns)] // the first follower becomes the leader
		return net.Dial("tcp", cl.node.members[at].tcp.Addr().String())
	}
	r.cluster = cl
	r.run()
}

// TestReplayLargeEvents plays the events that were too large to record.
func TestReplayLargeEvents(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	r := newReplayer(t, conversation(t, "117-large-event"), n, func() (net.Conn, error) { return net.Dial("tcp", n.Addr().String()) })
	r.run()
}

// largePayload makes what a note describes: "stream S, …, data = N times the letter a".
func largePayload(t *testing.T, line wiretest.Line) []byte {
	t.Helper()
	_, rest, ok := strings.Cut(line.Note, "data = ")
	if !ok {
		t.Fatalf("line %d: cannot make %q", line.Number, line.Note)
	}
	size := 0
	for _, d := range rest {
		if d < '0' || d > '9' {
			break
		}
		size = size*10 + int(d-'0')
	}
	id := [16]byte{0xe0, 1, 0x17, 15: byte(line.Number)}
	e := wire.Event{ID: id[:], Type: []byte("T"), Data: bytes.Repeat([]byte("a"), size), Metadata: []byte{}}
	m := wire.WriteEventsBody{Stream: "s117", ExpectedVersion: -2, Events: []wire.Event{e}, RequireLeader: true}
	return m.Append(nil)
}

// note acts on a remark of the recorder.
func (r *replayer) note(line wiretest.Line) {
	if isKill(line) {
		r.cluster.Kill(r.cluster.Leader())
		r.cluster.ElectAfter(forwardTimeout)
	}
}

// pushesFirst puts what was pushed before the leader was killed, and seen after it, before it: here nothing is under way.
func pushesFirst(lines []wiretest.Line) []wiretest.Line {
	at := slices.IndexFunc(lines, isKill)
	if at < 0 {
		return lines
	}
	end := at + 1
	for end < len(lines) && lines[end].Dir == "s2c" {
		end++
	}
	return slices.Concat(lines[:at], lines[at+1:end], lines[at:at+1], lines[end:])
}

func isKill(line wiretest.Line) bool { return strings.Contains(line.Note, "process is killed") }
