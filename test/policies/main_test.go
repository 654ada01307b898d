// Package policies checks on every kind of store what becomes of an event that cannot be handled, for each reason there is.
package policies

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// world is a log and a store. exec makes a handler of [projector.OnTx] that runs a statement for each event, with its stream
// and number as arguments; it is nil where the store has no SQL.
type world struct {
	log   *sourcetest.Log
	store checkpoint.ParkingStore
	exec  func(eventType string, statement func(e *projector.Envelope) string) projector.Part
}

// onEachStore runs a test on every kind of store.
func onEachStore(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) *world{"memory": inMemory, "sqlite": inSQLite, "postgres": inPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.log = sourcetest.New()
			t.Cleanup(func() {
				if err := w.store.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, w)
		})
	}
}

func inMemory(*testing.T) *world { return &world{store: memory.Open()} }

func inSQLite(t *testing.T) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{store: s, exec: func(eventType string, statement func(*projector.Envelope) string) projector.Part {
		return projector.OnTx(eventType, func(ctx context.Context, tx *sql.Tx, e projector.Event[[]byte]) error {
			_, err := tx.ExecContext(ctx, statement(&e.Envelope))
			return err
		})
	}}
}

func inPostgres(t *testing.T) *world {
	t.Helper()
	url, schema := pgtest.Schema(t)
	s, err := postgres.Open(t.Context(), url, postgres.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	return &world{store: s, exec: func(eventType string, statement func(*projector.Envelope) string) projector.Part {
		return projector.OnTx(eventType, func(ctx context.Context, tx pgx.Tx, e projector.Event[[]byte]) error {
			if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL search_path TO %q", schema)); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, statement(&e.Envelope))
			return err
		})
	}}
}

// attempts that the policy of these tests gives an event.
const attempts = 3

func then(a projector.Action) projector.Tuning {
	return projector.WithRetry(projector.RetryPolicy{Attempts: attempts, Delay: time.Millisecond, MaxDelay: 2 * time.Millisecond, Then: a})
}

// once runs a projection to the end of what there is.
func (w *world) once(t *testing.T, parts []projector.Part, settings ...projector.Setting) error {
	t.Helper()
	p := projector.New("p", w.log.All(nil), parts...).With(settings...)
	r, err := projector.NewRunner(w.store, []*projector.Projection{p}, projector.Once())
	if err != nil {
		t.Fatal(err)
	}
	return r.Run(t.Context())
}

func (w *world) stored(t *testing.T) checkpoint.Status {
	t.Helper()
	all, err := w.store.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("list: %v, %v", all, err)
	}
	return all[0]
}

func (w *world) parked(t *testing.T) []checkpoint.Parked {
	t.Helper()
	rows, err := w.store.Parked(t.Context(), "p", nil, 0, 0)
	if err != nil && !errors.Is(err, checkpoint.ErrUnknownProjection) {
		t.Fatal(err)
	}
	return rows
}
