package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

const (
	takeoverTTL = 2 * time.Second
	forever     = 5 * time.Minute
)

func ponies() *checkpoint.Table {
	return &checkpoint.Table{
		Name: "ponies", Key: []string{"name"}, Columns: []checkpoint.Column{
			{Name: "name", Type: checkpoint.Type{Base: checkpoint.Text}}, {Name: "jumps", Type: checkpoint.Type{Base: checkpoint.Int}},
		},
	}
}

func put(table *checkpoint.Table, rows ...[]any) []checkpoint.TableWrite {
	return []checkpoint.TableWrite{{Table: table, Upserts: rows}}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ready opens a store with a table in a schema of its own, and says how to open it again.
func ready(t *testing.T, table *checkpoint.Table) (s *postgres.Store, url, schema string) {
	t.Helper()
	url, schema = pgtest.Schema(t)
	return readyAt(t, url, schema, table), url, schema
}

func readyAt(t *testing.T, url, schema string, table *checkpoint.Table) *postgres.Store {
	t.Helper()
	s := open(t, url, postgres.WithSchema(schema))
	check(t, s.Migrate(t.Context()))
	check(t, s.EnsureTables(t.Context(), table))
	return s
}

func acquire(t *testing.T, s checkpoint.Store, ttl time.Duration) checkpoint.Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "owner", TTL: ttl})
	check(t, err)
	return lease
}

// takeOver waits for a lease to expire. On a machine that has nothing else to do that takes the ttl, and half a second
// more where somebody has to be evicted; the bound is there to tell a test that hangs.
func takeOver(t *testing.T, s checkpoint.Store) checkpoint.Lease {
	t.Helper()
	deadline, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		lease, err := s.Acquire(deadline, checkpoint.Claim{Name: "p", Owner: "heir", TTL: forever})
		var held *checkpoint.HeldError
		if !errors.As(err, &held) {
			check(t, err)
			return lease
		}
		select {
		case <-deadline.Done():
			t.Fatal("not taken over")
		case <-time.After(max(held.Expires, time.Millisecond)):
		}
	}
}

// testPaused lets an owner stop in a transaction that has locked the row "a", and a standby take over and write it. Then
// the owner wakes up.
func testPaused(t *testing.T, url, schema string, stop func(t *testing.T, tx pgx.Tx, table pgx.Identifier) (wake func())) {
	t.Helper()
	table := ponies()
	s := readyAt(t, url, schema, table)
	standby := open(t, url, postgres.WithSchema(schema))
	old := acquire(t, s, takeoverTTL)
	check(t, old.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"a", int64(1)})}))
	tx, err := old.Begin(t.Context())
	check(t, err)
	native, ok := tx.Native().(pgx.Tx)
	if !ok {
		t.Fatalf("native is %T", tx.Native())
	}
	name := pgx.Identifier{schema, "ponies"}
	_, err = native.Exec(t.Context(), `UPDATE `+name.Sanitize()+` SET jumps = 99 WHERE name = 'a'`)
	check(t, err)
	wake := stop(t, native, name)

	heir := takeOver(t, standby)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	check(t, heir.Commit(ctx, checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(table, []any{"a", int64(2)})}))
	wake()
	err = tx.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(9), Writes: put(table, []any{"b", int64(9)})})
	if err == nil {
		t.Fatal("the owner that woke up has committed")
	}
	if class := s.Classify(err); class != checkpoint.ClassUnavailable && !errors.Is(err, checkpoint.ErrFenced) {
		t.Fatalf("its error is %v, of class %v", err, class)
	}
	check(t, standby.Rows(t.Context(), table, 0, func(row []any) bool {
		if row[0] != "a" || row[1] != int64(2) {
			t.Errorf("there is a row %v", row)
		}
		return true
	}))
	if heir.Position() != checkpoint.AtNumber(2) {
		t.Fatal(heir.Position())
	}
}

// TestOwnerPausedInTransaction: the server ends the session, since it is idle.
func TestOwnerPausedInTransaction(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	testPaused(t, url, schema, pausedIdle)
}

func pausedIdle(*testing.T, pgx.Tx, pgx.Identifier) (wake func()) { return func() {} }

// TestOwnerPausedInCopy: the server does not take this for idle, so the standby that is blocked ends the session.
func TestOwnerPausedInCopy(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	testPaused(t, url, schema, pausedInCopy)
}

// pausedInCopy leaves the transaction in the middle of COPY.
func pausedInCopy(t *testing.T, tx pgx.Tx, table pgx.Identifier) (wake func()) {
	t.Helper()
	started, woken, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	wake = sync.OnceFunc(func() {
		close(woken)
		<-done // a connection is used by one goroutine at a time
	})
	t.Cleanup(wake)
	go func() { // ends with wake
		n := 0
		_, err := tx.CopyFrom(context.Background(), table, []string{"name", "jumps"}, pgx.CopyFromFunc(func() ([]any, error) {
			n++
			if n == 1 {
				return []any{"copied", int64(1)}, nil
			}
			if n == 2 {
				close(started)
			}
			<-woken
			return nil, errors.New("woken")
		}))
		done <- err
	}()
	<-started
	return wake
}

// TestAcquireEvictsWhoHoldsTheLeaseRow: the row is touched last, but a process may be stopped even then.
func TestAcquireEvictsWhoHoldsTheLeaseRow(t *testing.T) {
	t.Parallel()
	table := ponies()
	s, url, schema := ready(t, table)
	old := acquire(t, s, takeoverTTL)
	tx, err := old.Begin(t.Context())
	check(t, err)
	t.Cleanup(func() { check(t, tx.Rollback(context.Background())) }) // the server would wait for it for ever
	native := tx.Native().(pgx.Tx)
	_, err = native.Exec(t.Context(), `SET LOCAL idle_in_transaction_session_timeout = 0`)
	check(t, err)
	_, err = native.Exec(t.Context(), `UPDATE `+pgx.Identifier{schema}.Sanitize()+`.projector_projections SET state = 'locked'`)
	check(t, err)
	heir := takeOver(t, open(t, url, postgres.WithSchema(schema)))
	if heir.Epoch() != old.Epoch()+1 {
		t.Fatal(heir.Epoch())
	}
	if err := tx.Commit(t.Context(), checkpoint.Change{}); err == nil {
		t.Fatal("the owner that was evicted has committed")
	}
}

// TestStrangersAreNotEvicted: somebody else's lock is waited for.
func TestStrangersAreNotEvicted(t *testing.T) {
	t.Parallel()
	table := ponies()
	s, url, schema := ready(t, table)
	lease := acquire(t, s, 100*time.Millisecond)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, []any{"a", int64(1)})}))
	conn, err := pgx.Connect(t.Context(), url)
	check(t, err)
	defer func() { check(t, conn.Close(context.Background())) }()
	stranger, err := conn.Begin(t.Context())
	check(t, err)
	_, err = stranger.Exec(t.Context(), `UPDATE `+pgx.Identifier{schema, "ponies"}.Sanitize()+` SET jumps = 7 WHERE name = 'a'`)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond) // longer than the patience with one of ours
	defer cancel()
	if err := lease.Commit(ctx, checkpoint.Change{Writes: put(table, []any{"a", int64(2)})}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want %v", err, context.DeadlineExceeded)
	}
	check(t, stranger.Commit(t.Context()))
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, []any{"a", int64(3)})}))
}
