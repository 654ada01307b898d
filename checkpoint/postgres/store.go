// Package postgres is a store in a schema of a PostgreSQL database, 13 or later, through pgx.
package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

// Store keeps everything in one schema. It is safe for concurrent use.
type Store struct{ checkpoint.Store }

// Option changes how a store works.
type Option interface{ apply(*config) }

type config struct{ schema string }

type schemaOption string

func (o schemaOption) apply(c *config) { c.schema = string(o) }

// WithSchema names the schema of all tables, the framework's own and the read models. It is made if it does not exist.
// Defaults to public.
func WithSchema(name string) Option { return schemaOption(name) }

// Open connects to a database. url is anything pgxpool.ParseConfig reads. The native transaction of its leases is
// pgx.Tx.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// New makes a store over a pool, which stays the caller's: Close does not close it.
func New(pool *pgxpool.Pool, opts ...Option) (*Store, error) {
	return nil, errors.ErrUnsupported
}

// DDL returns the statements that make the framework's own tables.
func (s *Store) DDL() string { return "" }
