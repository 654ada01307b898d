package soak

import (
	"context"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// TestSoakCut has Postgres terminate all connections of a runner at random moments.
func TestSoakCut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	events, least := 10_000, 5
	if os.Getenv("PROJECTOR_SOAK") != "" {
		events, least = 300_000, 200
	}
	database, count := prepare(t, "postgres")
	server, schema := splitURL(t, database)
	store := open(t, server, schema)
	log := sourcetest.New()
	for i := range events {
		stream, e := eventAt(i)
		log.Append(stream, e)
	}
	src := log.All(nil)
	src.PageSize = 100
	p := projector.New("ponies", src, table(), audit(database)).With(projector.OrderBy(func(e *source.Event) string { return e.Stream }))
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLeaseTTL(300*time.Millisecond),
		projector.WithBatchSize(100), projector.WithRetryDelays(10*time.Millisecond, 100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	var cuts atomic.Int64
	// The log is served page by page, slowly enough for every cut to hit work.
	log.Intercept(func(sourcetest.Op) error { time.Sleep(10 * time.Millisecond); return nil })
	ctx, stop := context.WithCancel(t.Context())
	cutting := make(chan struct{})
	go func() { // ends with ctx
		defer close(cutting)
		cut(t, ctx, server, schema, &cuts)
	}()
	err = r.Run(t.Context())
	stop()
	<-cutting
	if err != nil {
		t.Fatal(err)
	}
	store = open(t, server, schema) // the last connections of the other one may have been cut while they were idle
	if diff := cmp.Diff(wanted(events), rows(t, store)); diff != "" {
		t.Errorf("rows: %s", diff)
	}
	lines, repeated := count()
	st, err := store.List(t.Context())
	if err != nil || len(st) != 1 {
		t.Fatalf("%v, %v", st, err)
	}
	here := r.Status()[0]
	t.Logf("connections cut %d times, %d events handled (%d by the count of the process), %d lines of audit, %d repeated, %d parked, %d leases",
		cuts.Load(), st[0].Handled, here.Handled, lines, repeated, st[0].Parked, st[0].Epoch)
	if lines != events || repeated != 0 || st[0].Handled != int64(events) || here.Handled != int64(events) || st[0].Parked != 0 {
		t.Errorf("stored %+v, here %+v", st[0], here)
	}
	if cuts.Load() < int64(least) {
		t.Errorf("only %d cuts", cuts.Load())
	}
}

func open(t *testing.T, server, schema string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), server, postgres.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // nothing is left to be lost
	return store
}

// splitURL takes the name of a database for this test apart, and marks its connections.
func splitURL(t *testing.T, database string) (server, schema string) {
	t.Helper()
	var kind string
	for i, part := range strings.Fields(database) {
		switch i {
		case 0:
			kind = part
		case 1:
			server = part
		case 2:
			schema = part
		}
	}
	u, err := url.Parse(server)
	if err != nil || kind != "postgres" {
		t.Fatalf("%q: %v", database, err)
	}
	q := u.Query()
	q.Set("application_name", schema)
	u.RawQuery = q.Encode()
	return u.String(), schema
}

// cut terminates the connections that bear a name, again and again.
func cut(t *testing.T, ctx context.Context, server, name string, cuts *atomic.Int64) {
	u, err := url.Parse(server)
	if err != nil {
		t.Error(err)
		return
	}
	u.RawQuery = ""
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(20+rand.IntN(120)) * time.Millisecond):
		}
		var n int64
		err := conn.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1", name).Scan(&n)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
		if n > 0 {
			cuts.Add(1)
		}
	}
}
