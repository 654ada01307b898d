package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

// lease is a claim on one projection. Only released is used by more than one goroutine.
type lease struct {
	store    *Store
	name     string
	epoch    int64
	ttl      time.Duration
	position checkpoint.Position
	last     checkpoint.EventRef
	deaths   int
	marker   checkpoint.Marker
	guess    guesses
	released atomic.Bool
}

func (l *lease) Name() string                   { return l.name }
func (l *lease) Epoch() int64                   { return l.epoch }
func (l *lease) Position() checkpoint.Position  { return l.position }
func (l *lease) LastEvent() checkpoint.EventRef { return l.last }

func (l *lease) identity() identity { return identity{l.store.hash(l.name), l.epoch} }

func (l *lease) fenced() error {
	return fmt.Errorf("projection %q, epoch %d: %w", l.name, l.epoch, checkpoint.ErrFenced)
}

// Load implements [checkpoint.Lease].
func (l *lease) Load(ctx context.Context, table *checkpoint.Table, keys [][]any) ([][]any, error) {
	rows := make([][]any, len(keys))
	if len(keys) == 0 {
		return rows, nil
	}
	sql := l.store.table(table)
	query, params, err := loadQuery(table, sql, keys)
	if err != nil {
		return nil, err
	}
	found, err := l.store.exec(ctx, query, params...)
	if err != nil {
		return nil, fmt.Errorf("table %q: load: %w", table.Name, tableError(table, err))
	}
	for _, values := range found {
		row, err := decodeRow(table, values[1:])
		if err != nil {
			return nil, err
		}
		rows[binary.BigEndian.Uint64(values[0])-1] = row
	}
	return rows, nil
}

func loadQuery(table *checkpoint.Table, sql *tableSQL, keys [][]any) (query string, params []any, err error) {
	if len(keys) > 1 {
		params, err = keyArrays(table, sql, keys)
		return sql.load, params, err
	}
	key, err := table.CanonicalKey(keys[0], 0)
	if err != nil {
		return "", nil, err
	}
	return sql.loadOne, valueParams(sql.keys, key), nil
}

// Renew implements [checkpoint.Lease].
func (l *lease) Renew(ctx context.Context) error {
	return l.update(ctx, "renew", l.store.sql.renew, l.name, l.epoch, micros(l.ttl))
}

// Report implements [checkpoint.Lease].
func (l *lease) Report(ctx context.Context, state, reason string) error {
	return l.update(ctx, "report", l.store.sql.report, l.name, l.epoch, plain.Text(state), plain.Text(reason))
}

// update runs a statement on the row of the lease that returns something if the lease still holds.
func (l *lease) update(ctx context.Context, what, sql string, params ...any) error {
	if l.released.Load() {
		return l.fenced()
	}
	rows, err := l.store.exec(ctx, sql, params...)
	if err != nil {
		return fmt.Errorf("projection %q: %s: %w", l.name, what, err)
	}
	if len(rows) == 0 {
		return l.fenced()
	}
	return nil
}

// Release implements [checkpoint.Lease].
func (l *lease) Release(ctx context.Context) error {
	if l.released.Swap(true) {
		return nil
	}
	if _, err := l.store.exec(ctx, l.store.sql.release, l.name, l.epoch); err != nil {
		l.released.Store(false) // may be tried again
		return fmt.Errorf("projection %q: release: %w", l.name, err)
	}
	return nil
}

// Commit implements [checkpoint.Lease].
func (l *lease) Commit(ctx context.Context, change checkpoint.Change) error {
	if l.released.Load() {
		return l.fenced()
	}
	for {
		err := l.commit(ctx, change)
		if !errors.Is(err, errGuess) {
			return err
		}
	}
}

func (l *lease) commit(ctx context.Context, change checkpoint.Change) error {
	c := commit{lease: l, change: change, guess: &l.guess, plain: map[int]bool{}}
	if len(change.Writes)+len(change.Dedupe.IDs) > 0 { // else nobody is blocked but by the row that is touched last
		c.add(nil, l.store.sql.settings, l.identity().String())
	}
	if err := c.prepare(); err != nil {
		return err
	}
	return l.store.with(ctx, func(conn *pgxpool.Conn) error { return c.run(ctx, conn.Conn().PgConn()) })
}
