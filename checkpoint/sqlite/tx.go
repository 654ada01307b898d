package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
)

// tx is a transaction that handlers write through. It holds the writing connection until its end.
type tx struct {
	lease *lease
	sql   *sql.Tx // nil after the end
}

// Begin implements [checkpoint.Lease].
func (l *lease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	if l.released.Load() {
		return nil, l.fenced()
	}
	w := l.store.writer
	if err := w.lock(ctx); err != nil {
		return nil, fmt.Errorf("projection %q: begin: %w", l.name, err)
	}
	// The end of ctx must not roll back behind the back of Commit: whoever has begun ends it.
	begun, err := w.conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		w.forget(err)
		w.unlock()
		return nil, fmt.Errorf("projection %q: begin: %w", l.name, classed(err))
	}
	l.writing.Store(true)
	return &tx{lease: l, sql: begun}, nil
}

// Native returns the *sql.Tx.
func (t *tx) Native() any { return t.sql }

// Commit implements [checkpoint.Tx].
func (t *tx) Commit(ctx context.Context, change checkpoint.Change) error {
	if t.sql == nil {
		return checkpoint.ErrTxDone
	}
	// The statements that follow run on the connection, and would commit each on its own if the handler has ended the
	// transaction.
	var err error
	if !t.lease.store.writer.inTransaction() {
		err = sql.ErrTxDone
	}
	if err == nil {
		err = t.lease.write(ctx, &change)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = t.sql.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) {
		err = fmt.Errorf("%w: the handler has ended the transaction, which is the framework's to end", checkpoint.ErrInvalid)
	}
	if err != nil {
		_ = t.Rollback(ctx) // fails only if there is nothing to roll back
		return fmt.Errorf("projection %q: commit: %w", t.lease.name, classed(err))
	}
	t.end()
	t.lease.moved(&change)
	return nil
}

// Rollback implements [checkpoint.Tx].
func (t *tx) Rollback(context.Context) error {
	if t.sql == nil {
		return nil
	}
	err := t.sql.Rollback()
	t.lease.store.writer.forget(err)
	t.end()
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return classed(err)
}

func (t *tx) end() {
	t.sql = nil
	t.lease.writing.Store(false)
	t.lease.store.writer.unlock()
}
