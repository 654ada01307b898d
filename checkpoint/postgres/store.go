package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

// Store keeps everything in one schema. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	ownsPool bool
	schema   string
	compiled sync.Map      // *checkpoint.Table to *tableSQL
	handlers chan struct{} // one element for each transaction of a handler that is open
	sql      frameworkSQL
}

var _ checkpoint.Store = (*Store)(nil)

const (
	// defaultMaxConns is the size of the pool, unless the URL has pool_max_conns or the machine more CPUs. Connections are
	// opened as they are needed.
	defaultMaxConns = 16
	// reservedConns of the pool are not given to handlers, whose transactions may take long: leases must be renewed
	// meanwhile, or they are lost.
	reservedConns = 2
)

// Open connects to a database, and fails if it cannot. url is anything that pgxpool.ParseConfig reads, including the
// settings of the pool. The native transaction of the store's leases is pgx.Tx.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	poolConfig, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, &checkpoint.ClassError{Class: checkpoint.ClassConfiguration, Err: fmt.Errorf("postgres: %w", err)}
	}
	if !strings.Contains(url, "default_query_exec_mode") {
		// Named prepared statements do not survive a transaction pooler.
		poolConfig.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if !strings.Contains(url, "pool_max_conns") {
		poolConfig.MaxConns = max(poolConfig.MaxConns, defaultMaxConns)
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", classed(err))
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: %w", classed(err))
	}
	s := newStore(pool, c)
	s.ownsPool = true
	return s, nil
}

// New makes a store over a pool, which stays the caller's: Close does not close it.
func New(pool *pgxpool.Pool, opts ...Option) (*Store, error) {
	if pool == nil {
		return nil, fmt.Errorf("%w: pool is nil", checkpoint.ErrInvalid)
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	return newStore(pool, c), nil
}

func newStore(pool *pgxpool.Pool, c config) *Store {
	handlers := max(1, int(pool.Config().MaxConns)-reservedConns)
	return &Store{pool: pool, schema: c.schema, sql: newFrameworkSQL(c.schema), handlers: make(chan struct{}, handlers)}
}

// Pool returns the pool of connections, for handlers and queries of the application. It must not be closed.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// closeTimeout is how long Close waits for connections that are in use.
const closeTimeout = 5 * time.Second

// Close closes the pool if the store has opened it. It is idempotent, and waits for calls that are under way, but not
// longer than 5 s: a handler may hang in its transaction.
func (s *Store) Close() error {
	if !s.ownsPool {
		return nil
	}
	closed := make(chan struct{})
	go func() { // ends when the last connection has been given back
		defer close(closed)
		s.pool.Close()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-closed:
		return nil
	case <-timeout.C:
		return fmt.Errorf("postgres: close: a connection is still in use after %v", closeTimeout)
	}
}

// with runs fn with a connection of the pool.
func (s *Store) with(ctx context.Context, fn func(*pgxpool.Conn) error) error {
	conn, err := s.acquireConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(conn)
}

func (s *Store) acquireConn(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, classed(err)
	}
	return conn, nil
}

// exec runs one statement in its own transaction and returns its rows, values in binary.
func (s *Store) exec(ctx context.Context, sql string, params ...any) (rows [][][]byte, err error) {
	err = s.with(ctx, func(conn *pgxpool.Conn) error {
		var b script
		b.add(sql, params...)
		results, _, err := b.run(ctx, conn.Conn().PgConn())
		if err == nil {
			rows = results[0]
		}
		return err
	})
	return rows, err
}

// inTx runs fn in one explicit transaction.
func (s *Store) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, fn)
	if err != nil && errors.Is(err, pgx.ErrTxClosed) {
		return &checkpoint.ClassError{Class: checkpoint.ClassUnavailable, Err: err}
	}
	return classed(err)
}
