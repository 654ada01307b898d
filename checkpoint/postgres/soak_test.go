package postgres_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/checkpointtest"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// TestSoakBehindPooler runs the conformance suite through a pgbouncer in transaction mode, and lets owners be paused
// behind it.
func TestSoakBehindPooler(t *testing.T) {
	t.Parallel()
	if os.Getenv("PROJECTOR_SOAK") == "" {
		t.Skip("needs pgbouncer; run by make soak (PROJECTOR_SOAK=1)")
	}
	pooled := pgtest.Pooler(t)
	for name, stop := range map[string]func(*testing.T, pgx.Tx, pgx.Identifier) func(){"PausedIdle": pausedIdle, "PausedInCopy": pausedInCopy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, schema := pgtest.Schema(t)
			testPaused(t, pooled, schema, stop)
		})
	}
	checkpointtest.Run(t, func(t *testing.T) checkpointtest.Database {
		_, schema := pgtest.Schema(t)
		return checkpointtest.Database{Open: func(t *testing.T) checkpoint.Store {
			return open(t, pooled, postgres.WithSchema(schema))
		}}
	})
}
