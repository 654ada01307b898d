package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/checkpointtest"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// TestBehindPooler runs the conformance suite through a pgbouncer in transaction mode, and lets owners be paused behind it.
func TestBehindPooler(t *testing.T) {
	t.Parallel()
	pooled := pgtest.Pooler(t)
	for name, stop := range map[string]func(*testing.T, pgx.Tx, pgx.Identifier) func(){"PausedIdle": pausedIdle, "PausedInCopy": pausedInCopy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, schema := pgtest.Schema(t)
			testPaused(t, pooled, schema, stop)
		})
	}
	t.Run("NothingIsPrepared", func(t *testing.T) {
		t.Parallel()
		_, schema := pgtest.Schema(t)
		table := ponies()
		s := readyAt(t, pooled, schema, table)
		var wg sync.WaitGroup
		for i := range 8 {
			lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: fmt.Sprint(i), TTL: forever})
			check(t, err)
			wg.Go(func() {
				for n := range int64(100) {
					change := checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Writes: put(table, []any{fmt.Sprint(i), n})}
					if err := lease.Commit(t.Context(), change); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		var n int
		check(t, s.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements`).Scan(&n))
		if n != 0 {
			t.Fatalf("%d statements are prepared", n)
		}
	})
	checkpointtest.Run(t, func(t *testing.T) checkpointtest.Database {
		_, schema := pgtest.Schema(t)
		return checkpointtest.Database{Open: func(t *testing.T) checkpoint.Store {
			return open(t, pooled, postgres.WithSchema(schema))
		}}
	})
}
