// Package groups checks projections that read persistent subscriptions, on real databases.
package groups

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

type jumped struct {
	Name string `json:"name"`
}

type pony struct {
	Name  string `db:"name,key"`
	Jumps int64  `db:"jumps"`
}

const names = 7

// database is one that processes of a test open, each for itself.
type database struct {
	open   func(t *testing.T) checkpoint.Store
	insert func() projector.Part // a handler that inserts a row for every call
}

func databases(t *testing.T) map[string]database {
	t.Helper()
	file := filepath.Join(t.TempDir(), "groups.db")
	return map[string]database{
		"sqlite": {
			open: func(t *testing.T) checkpoint.Store {
				s, err := sqlite.Open(t.Context(), file)
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			insert: func() projector.Part {
				return projector.OnTx("pony.jumped", func(ctx context.Context, tx *sql.Tx, e projector.Event[jumped]) error {
					_, err := tx.ExecContext(ctx, `INSERT INTO calls (number) VALUES (?)`, e.Number)
					return err
				})
			},
		},
	}
}

// TestKilledOwnersCountOnce has processes work one after the other, each of which dies at any moment: their connections
// are cut, before or after commits and acks, and their leases run out. Acks get lost besides. Rows count each event once.
func TestKilledOwnersCountOnce(t *testing.T) {
	t.Parallel()
	dbs := databases(t)
	if !testing.Short() {
		url, schema := pgtest.Schema(t)
		dbs["postgres"] = database{
			open: func(t *testing.T) checkpoint.Store {
				s, err := postgres.Open(t.Context(), url, postgres.WithSchema(schema))
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			insert: func() projector.Part {
				return projector.OnTx("pony.jumped", func(ctx context.Context, tx pgx.Tx, e projector.Event[jumped]) error {
					_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO %q.calls (number) VALUES ($1)`, schema), e.Number)
					return err
				})
			},
		}
	}
	for name, db := range dbs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killedOwners(t, db)
		})
	}
}

func killedOwners(t *testing.T, db database) {
	const n = 600
	node, err := esnode.Start(esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	client := dial(t, node)
	defer client.Close()
	events := make([]esclient.NewEvent, n)
	for i := range events {
		events[i] = esclient.NewEvent{Type: "pony.jumped", Body: jumped{fmt.Sprint("pony ", i%names)}}
	}
	if _, err := client.Append(t.Context(), "ponies", esclient.Any, events...); err != nil {
		t.Fatal(err)
	}
	settings := eventstore.DefaultGroupSettings()
	settings.MaxRetries = 1_000_000 // what is redelivered this often would be parked
	settings.MessageTimeout = 200 * time.Millisecond
	if err := client.CreatePersistent(t.Context(), "ponies", "g", settings); err != nil {
		t.Fatal(err)
	}
	calls := &checkpoint.Table{
		Name: "calls", Key: []string{"number"},
		Columns: []checkpoint.Column{{Name: "number", Type: checkpoint.Type{Base: checkpoint.Int}}},
	}
	store := db.open(t)
	defer store.Close()
	if err := errors.Join(store.Migrate(t.Context()), store.EnsureTables(t.Context(), calls)); err != nil {
		t.Fatal(err)
	}
	var lost, deaths atomic.Int64
	node.Intercept(esnode.PersistentSubscriptionAckEvents, func(esnode.Package) esnode.Fault {
		switch n := rand.IntN(16); {
		case n == 0: // its events come again after the message timeout
			lost.Add(1)
			return esnode.Fault{Discard: true}
		case n < 8:
			lost.Add(1)
			return esnode.Fault{Cut: true}
		}
		return esnode.Fault{}
	})
	ponies := newPonies()
	done := false
	for !done {
		done = process(t, node, db, ponies, n, &deaths)
	}
	rows := map[string]int64{}
	err = store.Rows(t.Context(), ponies.Tables()[0], 0, func(row []any) bool {
		rows[row[0].(string)] = row[1].(int64)
		return true
	})
	want := map[string]int64{}
	for i := range n {
		want[fmt.Sprint("pony ", i%names)]++
	}
	if diff := cmp.Diff(want, rows); diff != "" || err != nil {
		t.Errorf("rows (-want +got):\n%s %v", diff, err)
	}
	if called, err := store.Count(t.Context(), calls); err != nil || called != n {
		t.Errorf("%d rows of calls, want %d (%v)", called, n, err)
	}
	if lost.Load() == 0 || deaths.Load() == 0 {
		t.Errorf("%d acks lost, %d deaths", lost.Load(), deaths.Load())
	}
	t.Logf("%d events, %d acks lost, %d deaths", n, lost.Load(), deaths.Load())
}

func newPonies() *readmodel.Model {
	return readmodel.Table("ponies",
		readmodel.On("pony.jumped", func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *readmodel.Row[pony], _ projector.Event[jumped]) error {
				r.Value.Jumps++
				return nil
			}))
}

func dial(t *testing.T, node *esnode.Node) *esclient.Client {
	t.Helper()
	client, err := esclient.Dial(t.Context(), node.URL(), esclient.WithHTTP(node.HTTPURL(), nil),
		esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// process works until it dies, and reports whether everything is done.
func process(t *testing.T, node *esnode.Node, db database, ponies *readmodel.Model, n int64, deaths *atomic.Int64) bool {
	t.Helper()
	client, store := dial(t, node), db.open(t)
	defer store.Close()
	defer client.Close()
	commits := make(commits, 1000)
	p := projector.New("p", eventstore.Group(client, "ponies", "g"), ponies, db.insert()).With(projector.WithDedupe(time.Hour))
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.WithLeaseTTL(200*time.Millisecond),
		projector.WithHooks(commits), projector.WithInFlight(40), projector.WithBatchSize(15), projector.WithRetryDelays(time.Millisecond, 5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }() // ends with ctx
	for life, lived := rand.IntN(120), 0; ; {
		if handled(t, store) >= n {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return true
		}
		select {
		case c := <-commits:
			lived += c.Handled
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		}
		if lived > life {
			deaths.Add(1)
			_ = client.Close() // at once, with whatever is under way
			_ = store.Close()
			stop()
			<-ended
			return false
		}
	}
}

// commits passes on what is committed. Nobody waits for it.
type commits chan projector.Commit

func (c commits) OnCommit(_ string, commit projector.Commit) {
	select {
	case c <- commit:
	default:
	}
}

func handled(t *testing.T, store checkpoint.Store) int64 {
	t.Helper()
	known, err := store.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, st := range known {
		n += st.Handled
	}
	return n
}
