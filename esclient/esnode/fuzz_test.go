package esnode

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// FuzzPackages sends any payload under any command. Whatever it is, the node answers the ping behind it, or has closed the
// connection, and still serves others.
func FuzzPackages(f *testing.F) {
	for _, c := range wiretest.Conversations(f) {
		if strings.Contains(c.Name, "/") {
			continue // older servers, the same requests
		}
		for _, l := range c.Lines {
			if p, ok := l.Package(f); ok && l.Dir == "c2s" {
				f.Add(byte(p.Command), p.Payload)
			}
		}
	}
	l := newPipeListener()
	n, err := Start(Listener(l), Heartbeat(0, 0), Version20())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = n.Close() })
	auth := wire.Auth{Login: "admin", Password: "changeit"}
	f.Fuzz(func(t *testing.T, cmd byte, payload []byte) {
		nc, err := l.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		b := wire.AppendPackage(nil, &wire.Package{Command: wire.Command(cmd), Correlation: wire.CorrelationID{1}, Auth: auth, Payload: payload})
		b = wire.AppendPackage(b, &wire.Package{Command: wire.Ping, Correlation: wire.CorrelationID{2}, Payload: []byte("alive")})
		done := make(chan struct{})
		go func() { // ends when the node has read all, or has closed
			defer close(done)
			_, _ = nc.Write(b)
		}()
		answered := false
		in := wire.NewReader(nc, 0, nil)
		for !answered {
			p, err := in.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("command %#x: %v", cmd, err)
			}
			if p.Correlation == (wire.CorrelationID{2}) {
				// A client that identified as version 2 or more is refused everything.
				answered = p.Command == wire.BadRequest || p.Command == wire.Pong && bytes.Equal(p.Payload, []byte("alive"))
			}
		}
		<-done
	})
}
