// Package sqlite is a store in one SQLite file, without cgo. Several processes may use the file at once.
package sqlite

import (
	"context"
	"errors"

	"github.com/photonpump/projector/checkpoint"
)

// Store keeps everything in one SQLite file. It is safe for concurrent use.
type Store struct{ checkpoint.Store }

// Option changes how a store works.
type Option interface{ apply(*config) }

type config struct{}

// Open opens the file at path, which is made if it does not exist; its directory must exist. The native transaction of
// its leases is *sql.Tx.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// DDL returns the statements that make the framework's own tables.
func (s *Store) DDL() string { return "" }
