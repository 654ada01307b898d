package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver

	"github.com/photonpump/projector/checkpoint"
)

// Store keeps everything in one SQLite file. It is safe for concurrent use.
type Store struct {
	writer   *writer
	reader   *sql.DB
	compiled sync.Map // *checkpoint.Table to *tableSQL
}

var _ checkpoint.Store = (*Store)(nil)

// Open opens the file at path, which is made if it does not exist; its directory must exist. The native transaction of
// the store's leases is *sql.Tx, which handlers must not end.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	place := filepath.Dir(path)
	if c.existing {
		place = path
	}
	if _, err := os.Stat(place); err != nil {
		return nil, &checkpoint.ClassError{Class: checkpoint.ClassConfiguration, Err: fmt.Errorf("sqlite: open %q: %w", path, err)}
	}
	w, err := c.open(ctx, path, false)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %q: %w", path, classed(err))
	}
	r, err := c.open(ctx, path, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %q: %w", path, classed(err)), w.Close())
	}
	r.SetMaxOpenConns(c.readers)
	r.SetMaxIdleConns(c.readers)
	return &Store{writer: newWriter(w), reader: r}, nil
}

func (c config) open(ctx context.Context, path string, read bool) (*sql.DB, error) {
	dsn, err := c.dsn(path, read)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Reader returns connections that can read, for queries of the application. It must not be closed.
func (s *Store) Reader() *sql.DB { return s.reader }

// Close closes the file. It is idempotent, and waits for writes that are under way, but not longer than 5 s: a handler
// may hang in its transaction.
func (s *Store) Close() error {
	return errors.Join(s.reader.Close(), s.writer.close()) // the writer last: it then folds the WAL into the file
}
