package pgtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Shutdown is a way to shut PostgreSQL down.
type Shutdown int

// Restart shuts the server down and starts it again, at the same address and with the same data. It returns when the
// server answers again. Since nothing is flushed to the disk, and COMMIT does not even wait for the write, [Immediate]
// loses the last transactions, as a server with synchronous_commit=off does when it crashes; without that setting none.
func (s *Server) Restart(ctx context.Context, mode Shutdown) error {
	again := filepath.Join(s.dir, "again")
	if err := os.WriteFile(again, nil, 0o600); err != nil {
		return err
	}
	if err := s.signal(mode); err != nil {
		return err
	}
	gone := time.NewTicker(5 * time.Millisecond)
	defer gone.Stop()
	for { // until the supervisor has seen that it has ended
		if _, err := os.Stat(again); errors.Is(err, os.ErrNotExist) {
			return s.waitReady(ctx)
		}
		select {
		case <-gone.C:
		case <-s.done:
			return errors.New("ended for ever")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// postmaster returns the process that is the server.
func (s *Server) postmaster() (pid int, err error) {
	b, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return strconv.Atoi(string(line))
}
