package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// writer is the connection that writes, with its prepared statements. Whoever holds the token uses it.
type writer struct {
	db     *sql.DB
	token  chan struct{} // has an element while nobody writes
	closed chan struct{}

	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newWriter(db *sql.DB) *writer {
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	w := &writer{db: db, token: make(chan struct{}, 1), closed: make(chan struct{})}
	w.token <- struct{}{}
	return w
}

// lock waits for the connection. The caller unlocks.
func (w *writer) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closed:
		return checkpoint.ErrClosed
	case <-w.token:
	}
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		w.token <- struct{}{}
		return classed(err)
	}
	w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	return nil
}

func (w *writer) unlock() { w.token <- struct{}{} }

// forget drops the connection if err says that it cannot be used any more.
func (w *writer) forget(err error) {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		_ = w.drop()
	}
}

func (w *writer) drop() error {
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	errs = append(errs, w.conn.Close())
	w.conn, w.stmts = nil, nil
	return errors.Join(errs...)
}

// stmt returns the prepared statement of a query. It lives as long as the connection.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// exec runs a cached statement. It takes no context: with one, the driver starts a goroutine for every call.
func (w *writer) exec(query string, args ...any) (changed int64, err error) {
	stmt, err := w.stmt(query) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...) //nolint:noctx // see above
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// tx runs fn in a transaction that has the write lock of the file from its beginning.
func (w *writer) tx(ctx context.Context, fn func() error) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	err := w.inTx(ctx, fn)
	w.forget(err)
	return classed(err)
}

func (w *writer) inTx(ctx context.Context, fn func() error) error {
	// A transaction may be left open if the context ended while BEGIN was waiting for the lock.
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.rollback()
		return err
	}
	if err := fn(); err != nil {
		w.rollback()
		return err
	}
	if err := ctx.Err(); err != nil {
		w.rollback()
		return err
	}
	if _, err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return err
	}
	return nil
}

// inTransaction reports whether a transaction is open: then another cannot be begun.
func (w *writer) inTransaction() bool {
	if _, err := w.exec("BEGIN"); err == nil {
		w.rollback()
		return false
	}
	return true
}

// rollback fails only where no transaction is open, or the connection is lost and its transaction with it.
func (w *writer) rollback() {
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
}

// closeTimeout is how long close waits for a transaction that is open.
const closeTimeout = 5 * time.Second

// close waits for the one who writes, but not for ever: a handler may hang in its transaction.
func (w *writer) close() error {
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-w.closed:
		return nil
	case <-w.token:
		close(w.closed)
		return errors.Join(w.drop(), w.db.Close())
	case <-timeout.C:
		return fmt.Errorf("close: a transaction is still open after %v", closeTimeout)
	}
}
