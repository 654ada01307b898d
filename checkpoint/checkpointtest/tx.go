package checkpointtest

import (
	"errors"
	"testing"

	"github.com/photonpump/projector/checkpoint"
)

func testTx(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	tx, err := lease.Begin(t.Context())
	check(t, err)
	check(t, lease.Renew(t.Context())) // may run beside
	check(t, tx.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Last: ref(1), Handled: 1, Writes: put(table, []any{"a", int64(1), nil})}))
	check(t, tx.Rollback(t.Context())) // does nothing
	equal(t, lease.Position(), checkpoint.AtNumber(1))
	equal(t, lease.LastEvent(), ref(1))
	wantError(t, tx.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2)}), checkpoint.ErrTxDone)

	tx, err = lease.Begin(t.Context())
	check(t, err)
	check(t, tx.Rollback(t.Context()))
	check(t, tx.Rollback(t.Context()))
	wantError(t, tx.Commit(t.Context(), checkpoint.Change{}), checkpoint.ErrTxDone)
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(table, []any{"b", int64(1), nil})}))
	equal(t, rows(t, s, table), [][]any{{"a", int64(1), nil}, {"b", int64(1), nil}})
	equal(t, status(t, s, "p").Position, checkpoint.AtNumber(2))
}

func testTxFenced(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	old := acquire(t, s, "p", short)
	takeOver(t, s, "p")
	tx, err := old.Begin(t.Context())
	if err == nil { // it may be the commit that says it
		err = tx.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"a", int64(1), nil})})
	}
	wantError(t, err, checkpoint.ErrFenced)

	lease := acquire(t, s, "q", ttl)
	tx, err = lease.Begin(t.Context())
	check(t, err)
	err = tx.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(8), To: checkpoint.AtNumber(9), Writes: put(table, []any{"a", int64(1), nil})})
	wantError(t, err, checkpoint.ErrFenced)
	check(t, tx.Rollback(t.Context()))
	equal(t, len(rows(t, s, table)), 0)
	equal(t, status(t, s, "q").Position, checkpoint.Position{})
}

func testTxBadRow(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	tx, err := lease.Begin(t.Context())
	check(t, err)
	err = tx.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"a", int64(1), nil}, []any{"b", "text", nil})})
	var bad *checkpoint.RowError
	if !errors.As(err, &bad) || bad.Row != 1 || bad.Column != "jumps" {
		t.Fatalf("got error %v, want a RowError for row 1, column jumps", err)
	}
	check(t, tx.Rollback(t.Context()))
	equal(t, len(rows(t, s, table)), 0)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
}
