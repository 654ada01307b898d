package cli

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// A command that meets the process that runs the event store while that ends, waits, and then runs it itself.
func TestEventStoreThatEnds(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.edit("tcp: 127.0.0.1:0", "tcp: "+l.Addr().String())
	dir := filepath.Join(f.dir, "eventstore")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if got, err := lock.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	ended := make(chan error, 1)
	go func() { // ends with the first connection
		conn, err := l.Accept()
		if err == nil {
			err = conn.Close()
		}
		_ = l.Close()
		_ = lock.Unlock()
		ended <- err
	}()
	if got, want := f.run("append", "s", "t", "1"), "appended t as event 0 of s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
