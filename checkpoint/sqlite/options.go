package sqlite

import (
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Option changes how a store works.
type Option interface{ apply(*config) }

type config struct {
	busyTimeout time.Duration
	readers     int
	existing    bool
}

type busyTimeoutOption time.Duration

func (o busyTimeoutOption) apply(c *config) { c.busyTimeout = time.Duration(o) }

// WithBusyTimeout sets how long a write waits for another process that writes. Then it fails as
// [checkpoint.ClassUnavailable]. From 1 ms; defaults to 5 s.
func WithBusyTimeout(d time.Duration) Option { return busyTimeoutOption(d) }

type readersOption int

func (o readersOption) apply(c *config) { c.readers = int(o) }

// WithReaders sets how many connections read at most, from 1 on. Defaults to the number of CPUs, and at least 2.
func WithReaders(n int) Option { return readersOption(n) }

type existingOption struct{}

func (existingOption) apply(c *config) { c.existing = true }

// WithExisting makes [Open] fail with [fs.ErrNotExist] where there is no file, in place of making one. A file that this
// package has not made is left as it is until something is written.
func WithExisting() Option { return existingOption{} }

func newConfig(opts []Option) (config, error) {
	c := config{busyTimeout: 5 * time.Second, readers: max(2, runtime.GOMAXPROCS(0))}
	for _, opt := range opts {
		opt.apply(&c)
	}
	switch {
	case c.busyTimeout < time.Millisecond:
		return c, fmt.Errorf("%w: busy timeout is %v, must be at least 1ms", checkpoint.ErrInvalid, c.busyTimeout)
	case c.readers < 1:
		return c, fmt.Errorf("%w: %d readers, must be at least 1", checkpoint.ErrInvalid, c.readers)
	}
	return c, nil
}

// dsn names a file for the driver. With read the connection cannot change anything.
func (c config) dsn(path string, read bool) (string, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return "", fmt.Errorf("%w: %q is no path of a file; for a store in memory use package memory", checkpoint.ErrInvalid, path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	absolute = filepath.ToSlash(absolute)
	if !strings.HasPrefix(absolute, "/") {
		absolute = "/" + absolute // C:/…
	}
	query := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", c.busyTimeout.Milliseconds())}}
	if c.existing {
		query.Set("mode", "rw")
	} else {
		query.Add("_pragma", "journal_mode(WAL)") // which the file then keeps
	}
	query.Add("_pragma", "synchronous(FULL)")
	if read {
		query.Set("_query_only", "true")
	} else {
		query.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", Path: absolute, RawQuery: query.Encode()}).String(), nil
}
