package config

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const runFile = `
projections:
  one:
    source: {stream: order-1}
    key: event.stream
    table: {columns: {stream: text, n: int}, primary_key: stream}
    on: {placed: {increment: {n: body.n}}}
  several:
    source: {streams: [order-1, other]}
    key: event.stream
    table: {columns: {stream: text, n: int}, primary_key: stream}
    on: {placed: {increment: {n: body.n}}}
  category:
    source: {category: order}
    key: event.stream
    table: {columns: {stream: text, n: int}, primary_key: stream}
    on: {placed: {increment: {n: body.n}}}
  filtered:
    source: {all: {streams: [order-*], types: plac*}}
    key: event.stream
    table: {columns: {stream: text, n: int}, primary_key: stream}
    on: {"*": {increment: {n: body.n}}}
  everything:
    source: {all: {}}
    key: event.stream
    table: {columns: {stream: text, n: int}, primary_key: stream}
    on: {placed: {when: body.n != 4, increment: {n: body.n}}}
`

// startNode returns a client of a node that has some orders.
func startNode(t *testing.T) *esclient.Client {
	t.Helper()
	node, err := esnode.Start(esnode.SystemProjections(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, e := range []struct {
		stream, eventType string
		n                 int
	}{{"order-1", "placed", 1}, {"order-2", "placed", 2}, {"other", "placed", 4}, {"order-1", "placed", 8}, {"order-2", "paid", 16}} {
		body := map[string]int{"n": e.n}
		if _, err := client.Append(t.Context(), e.stream, esclient.Any, esclient.NewEvent{Type: e.eventType, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

// TestPolicies runs projections that say where they start, and what is done about events that nobody wants.
func TestPolicies(t *testing.T) {
	t.Parallel()
	client := startNode(t)
	table := "    key: event.stream\n    table: {columns: {stream: text, n: int}, primary_key: stream}\n    on: {placed: {increment: {n: body.n}}}\n"
	for name, tt := range map[string]struct {
		source string
		want   map[string]any
		err    error
	}{
		"start":  {"{stream: order-1}\n    start: 0\n", map[string]any{"order-1": 8.0}, nil},
		"end":    {"{stream: order-1}\n    start: end\n", map[string]any{}, nil},
		"ignore": {"{stream: order-2}\n", map[string]any{"order-2": 2.0}, nil},
		"stop":   {"{stream: order-2}\n    unhandled: stop\n", map[string]any{"order-2": 2.0}, projector.ErrUnhandledType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Parse("f.yml", []byte("projections:\n  p:\n    source: "+tt.source+table), environment)
			if err != nil {
				t.Fatal(err)
			}
			store := memory.Open()
			runner, err := projector.NewRunner(store, cfg.Build(client), projector.Once())
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := runner.Run(t.Context()); !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			got := map[string]any{}
			for stream, row := range rowsOf(t, store, cfg.Projections[0]) {
				got[stream] = row["n"]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRun runs each kind of source against a node, with the runner that users run.
func TestRun(t *testing.T) {
	t.Parallel()
	client := startNode(t)
	cfg, err := Parse("f.yml", []byte(runFile), environment)
	if err != nil {
		t.Fatal(err)
	}
	onEachStore(t, func(t *testing.T, store checkpoint.Store) {
		for range 2 { // the second time there is nothing to do
			runner, err := projector.NewRunner(store, cfg.Build(client), projector.Once(), projector.WithLeaseTTL(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if err := runner.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]map[string]any{}
		for _, p := range cfg.Projections {
			got[p.Name] = map[string]any{}
			for stream, row := range rowsOf(t, store, p) {
				got[p.Name][stream] = row["n"]
			}
		}
		want := map[string]map[string]any{
			"one":        {"order-1": 9.0},
			"several":    {"order-1": 9.0, "other": 4.0},
			"category":   {"order-1": 9.0, "order-2": 2.0},
			"filtered":   {"order-1": 9.0, "order-2": 2.0},
			"everything": {"order-1": 9.0, "order-2": 2.0},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

// TestRunOptions runs a handler of Go with what the file says for all projections.
func TestRunOptions(t *testing.T) {
	t.Parallel()
	cfg := parse(t, "run: {owner: me, lease_ttl: 7m, shutdown: 3s, workers: 2, handler_timeout: 1s, stall_after: 5s, max_deaths: 2}")
	store, log := memory.Open(), sourcetest.New()
	log.Append("s", sourcetest.JSON("x", `{}`))
	log.Append("t", sourcetest.JSON("x", `{}`))
	var running sync.WaitGroup // both handlers meet
	running.Add(2)
	handler := projector.On("x", func(ctx context.Context, _ projector.Event[struct{}]) error {
		status, err := store.List(ctx)
		if err != nil || status[0].Owner != "me" || time.Until(status[0].Expires).Round(time.Minute) != 7*time.Minute {
			t.Errorf("got %+v, %v", status, err)
		}
		running.Done()
		running.Wait()
		<-ctx.Done() // until the time-out
		return ctx.Err()
	})
	p := projector.New("p", log.All(nil), handler).With(projector.WithRetry(projector.RetryPolicy{
		Attempts: 1, Delay: time.Millisecond, MaxDelay: time.Millisecond, Then: projector.ActionStop,
	}))
	runner, err := projector.NewRunner(store, []*projector.Projection{p}, append(cfg.Run.Options(), projector.Once())...)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(t.Context()); !errors.Is(err, projector.ErrHandlerTimeout) {
		t.Errorf("got error %v", err)
	}
}

// TestSettings: what a file says of one projection is what it is run with.
func TestSettings(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, store checkpoint.Store) {
		slow := "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) INSERT INTO slow SELECT max(i) FROM n"
		cfg := parse(t, `
projections:
  slow:
    source: {stream: s}
    table: {columns: {i: int}, primary_key: i}
    sql: {x: {statement: "`+slow+`"}}
    handler_timeout: 50ms
    retry: {attempts: 1, then: stop}
`)
		log := sourcetest.New()
		log.Append("s", sourcetest.JSON("x", `{}`))
		if err := runOnce(t.Context(), t, store, cfg, log, "s"); !errors.Is(err, projector.ErrHandlerTimeout) {
			t.Errorf("got error %v", err)
		}
	})
}
