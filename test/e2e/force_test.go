//go:build e2e

package e2e

import (
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// When the database does not answer any more, the end in order takes its time; a second interrupt does not wait for it.
func TestSecondInterruptForcesTheExit(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	link := newLink(t, database.Host)
	database.Host = link.Addr().String()
	p := newPlace(t, "projector.yaml")
	service := p.start("run", "--database", database.String())
	service.until("Ctrl-C ends")
	link.freeze()
	for _, text := range []string{"Ctrl-C again forces the exit", ""} {
		if err := service.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		service.until(text)
	}
	if o := service.wait(); o.code != 130 {
		t.Errorf("code %d, want 130\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// link is a way to a server that can fall silent.
type link struct {
	net.Listener
	frozen chan struct{}
	freeze func()
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{Listener: l, frozen: make(chan struct{})}
	k.freeze = sync.OnceFunc(func() { close(k.frozen) })
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go k.serve(client, server) // ends with either side
		}
	}()
	return k
}

func (k *link) serve(client net.Conn, server string) {
	defer client.Close() //nolint:errcheck // it has ended
	upstream, err := new(net.Dialer).Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close() //nolint:errcheck // it has ended
	go func() {            // ends with either side
		_, _ = io.Copy(client, k.gate(upstream))
	}()
	_, _ = io.Copy(upstream, k.gate(client))
}

// gate passes on what it reads until the link is frozen.
func (k *link) gate(r io.Reader) io.Reader { return gate{r, k.frozen} }

type gate struct {
	r      io.Reader
	frozen <-chan struct{}
}

func (g gate) Read(p []byte) (int, error) {
	for {
		n, err := g.r.Read(p)
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
