package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

// tx is a transaction that handlers write through.
type tx struct {
	lease *lease
	conn  *pgxpool.Conn // nil after the end
	pgx   pgx.Tx
	stop  func()

	searching bool // search_path is set
}

// Begin implements [checkpoint.Lease]. It waits while too many transactions of handlers are open: two connections of the
// pool are left for other work. The server ends the session if it is left idle in the transaction for two
// thirds of the lease's ttl.
func (l *lease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	if l.released.Load() {
		return nil, l.fenced()
	}
	select {
	case l.store.handlers <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("projection %q: begin: %w", l.name, ctx.Err())
	}
	t, err := l.begin(ctx)
	if err != nil {
		<-l.store.handlers
		return nil, err
	}
	return t, nil
}

func (l *lease) begin(ctx context.Context) (*tx, error) {
	conn, err := l.store.acquireConn(ctx)
	if err != nil {
		return nil, fmt.Errorf("projection %q: begin: %w", l.name, err)
	}
	begun, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: l.beginSQL()})
	if err != nil {
		if conn.Conn().PgConn().TxStatus() != 'I' {
			_, _ = conn.Exec(ctx, "rollback")
		}
		conn.Release()
		if isState(err, "22012") {
			return nil, l.fenced()
		}
		return nil, fmt.Errorf("projection %q: begin: %w", l.name, l.store.explain(classed(err)))
	}
	return &tx{lease: l, conn: conn, pgx: begun, stop: l.store.evictBlockers(ctx, l.identity())}, nil
}

// beginSQL opens the transaction in one round trip. Its look at the epoch only saves a lost owner the work: what fences
// is the update at the end.
func (l *lease) beginSQL() string {
	return fmt.Sprintf(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = %d; SET LOCAL application_name = %s;
		SELECT 1 / count(*) FROM %s.projector_projections WHERE name = %s AND epoch = %d`,
		max(1, l.ttl.Milliseconds()*2/3), literal(l.identity().String()), quote(l.store.schema), literal(l.name), l.epoch)
}

// literal makes an SQL string of any text, whatever standard_conforming_strings says.
func literal(s string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + `'`
}

// Native returns a pgx.Tx whose Commit and Rollback are refused: the framework ends the transaction.
func (t *tx) Native() any { return handlerTx{t.pgx} }

// Commit implements [checkpoint.Tx]: the writes, the position and COMMIT in one round trip.
func (t *tx) Commit(ctx context.Context, change checkpoint.Change) error {
	if t.conn == nil {
		return checkpoint.ErrTxDone
	}
	c := commit{lease: t.lease, change: change}
	err := c.prepare()
	if conn := t.conn.Conn(); err == nil && !conn.IsClosed() && conn.PgConn().TxStatus() == 'I' {
		err = fmt.Errorf("projection %q: commit: %w", t.lease.name, errNotYours) // ended by a statement
	}
	if err == nil {
		c.add(nil, "COMMIT")
		err = c.run(ctx, t.conn.Conn().PgConn())
	}
	if err != nil {
		_ = t.Rollback(context.WithoutCancel(ctx)) // fails only on a broken connection, and that has rolled back
		return err
	}
	t.end()
	return nil
}

// Rollback implements [checkpoint.Tx].
func (t *tx) Rollback(ctx context.Context) error {
	if t.conn == nil {
		return nil
	}
	defer t.end()
	conn := t.conn.Conn()
	if conn.PgConn().TxStatus() == 'I' {
		return nil // the server has rolled back
	}
	if err := t.pgx.Rollback(ctx); err != nil && !conn.IsClosed() { // whose end has rolled back too
		return classed(err)
	}
	return nil
}

func (t *tx) end() {
	t.stop()
	t.conn.Release()
	t.conn = nil
	<-t.lease.store.handlers
}

// handlerTx is what handlers see of a transaction.
type handlerTx struct{ pgx.Tx }

var errNotYours = fmt.Errorf("%w: the transaction of a handler is ended by the framework", checkpoint.ErrInvalid)

// Commit refuses.
func (handlerTx) Commit(context.Context) error { return errNotYours }

// Rollback refuses.
func (handlerTx) Rollback(context.Context) error { return errNotYours }
