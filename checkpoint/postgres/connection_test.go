package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

func TestConnectErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"postgres://me:hunter2@127.0.0.1:1/x", "postgres://me:hunter2@127.0.0.1:1/x?sslmode=perhaps"} {
		if _, err := postgres.Open(t.Context(), server); err == nil || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
			t.Errorf("got error %v", err)
		}
	}
}

func TestHandlersCannotEndTheTransaction(t *testing.T) {
	t.Parallel()
	s, _, schema := ready(t, ponies())
	lease := acquire(t, s, forever)
	tx, err := lease.Begin(t.Context())
	check(t, err)
	native := tx.Native().(pgx.Tx)
	_, err = native.Exec(t.Context(), `INSERT INTO `+pgx.Identifier{schema, "ponies"}.Sanitize()+` VALUES ('by a handler', 1)`)
	check(t, err)
	for _, err := range []error{native.Commit(t.Context()), native.Rollback(t.Context())} {
		if !errors.Is(err, checkpoint.ErrInvalid) {
			t.Fatalf("got error %v", err)
		}
	}
	nested, err := native.Begin(t.Context()) // a savepoint is theirs
	check(t, err)
	check(t, nested.Rollback(t.Context()))
	check(t, tx.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
	n, err := s.Count(t.Context(), ponies())
	check(t, err)
	if n != 1 {
		t.Fatalf("there are %d rows", n)
	}
	tx, err = lease.Begin(t.Context())
	check(t, err)
	_, err = tx.Native().(pgx.Tx).Exec(t.Context(), `COMMIT`)
	check(t, err)
	change := checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2)}
	if err := tx.Commit(t.Context(), change); !errors.Is(err, checkpoint.ErrInvalid) || lease.Position() != checkpoint.AtNumber(1) {
		t.Fatalf("got error %v at %v", err, lease.Position())
	}
	// A statement that has failed cannot be committed over.
	tx, err = lease.Begin(t.Context())
	check(t, err)
	_, err = tx.Native().(pgx.Tx).Exec(t.Context(), `SELECT 1/0`)
	if err == nil {
		t.Fatal("1/0 is no error")
	}
	if err := tx.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2)}); err == nil {
		t.Fatal("committed")
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2)}))
}

func TestNewLeavesThePoolOpen(t *testing.T) {
	t.Parallel()
	server, schema := pgtest.Schema(t)
	pool, err := pgxpool.New(t.Context(), server) // with named statements, as by default
	check(t, err)
	defer pool.Close()
	s, err := postgres.New(pool, postgres.WithSchema(schema))
	check(t, err)
	table := ponies()
	check(t, s.Migrate(t.Context()))
	check(t, s.EnsureTables(t.Context(), table))
	lease := acquire(t, s, forever)
	for n := range int64(3) {
		check(t, lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Writes: put(table, []any{"a", n})}))
	}
	check(t, s.Close())
	check(t, pool.Ping(t.Context()))
	if _, err := postgres.New(nil); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Fatal(err)
	}
}

// TestStatementsVanish: a handler may throw away what was prepared in its session, and the tables may change.
func TestStatementsVanish(t *testing.T) {
	t.Parallel()
	table := ponies()
	server, schema := pgtest.Schema(t)
	s := readyAt(t, server+"?pool_max_conns=1", schema, table)
	lease := acquire(t, s, forever)
	n := int64(0)
	again := func() {
		t.Helper()
		for attempt := 0; ; attempt++ {
			err := lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Writes: put(table, []any{"a", n})})
			if err == nil {
				_, err = lease.Load(t.Context(), table, [][]any{{"a"}})
			}
			n++
			if err == nil {
				return
			}
			if s.Classify(err) != checkpoint.ClassUnavailable || attempt > 3 {
				t.Fatalf("attempt %d: %v of class %v", attempt, err, s.Classify(err))
			}
		}
	}
	count := func() (n int) {
		t.Helper()
		check(t, s.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'projector%'`).Scan(&n))
		return n
	}
	for range 5 {
		again()
	}
	if count() == 0 {
		t.Fatal("nothing is prepared on a direct connection")
	}
	_, err := s.Pool().Exec(t.Context(), `ALTER TABLE `+pgx.Identifier{schema, "ponies"}.Sanitize()+` ALTER name TYPE varchar`)
	check(t, err)
	again()
	check(t, s.Pool().AcquireFunc(t.Context(), func(c *pgxpool.Conn) error { return c.Conn().Close(t.Context()) })) // a new session
	for range 5 {
		again()
	}
	_, err = s.Pool().Exec(t.Context(), `DEALLOCATE ALL`)
	check(t, err)
	again()
	again()
}

// TestHandlersLeaveConnections: leases are renewed however many transactions of handlers are open.
func TestHandlersLeaveConnections(t *testing.T) {
	t.Parallel()
	table := ponies()
	server, schema := pgtest.Schema(t)
	s := readyAt(t, server+"?pool_max_conns=4", schema, table)
	var leases []checkpoint.Lease
	for i := range 3 {
		lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: fmt.Sprint(i), TTL: forever})
		check(t, err)
		leases = append(leases, lease)
	}
	first, err := leases[0].Begin(t.Context())
	check(t, err)
	second, err := leases[1].Begin(t.Context())
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := leases[2].Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want %v", err, context.DeadlineExceeded)
	}
	for _, lease := range leases {
		check(t, lease.Renew(t.Context()))
		_, err := lease.Load(t.Context(), table, [][]any{{"a"}})
		check(t, err)
	}
	check(t, first.Commit(t.Context(), checkpoint.Change{}))
	third, err := leases[2].Begin(t.Context())
	check(t, err)
	check(t, second.Rollback(t.Context()))
	check(t, third.Rollback(t.Context()))
}
