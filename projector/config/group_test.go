package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	cfg, err := Load("testdata/group.good.yml")
	if err != nil {
		t.Fatal(err)
	}
	want := []*Group{
		{
			Name: "ponies", Update: true, InFlight: 50, Settings: esclient.PersistentSettings{
				StartFrom: -1, MessageTimeout: time.Minute, MaxRetries: 3, LiveBuffer: 100, ReadBatch: 10, Buffer: 200,
				CheckpointAfter: 5 * time.Second, CheckpointMin: 1, CheckpointMax: 50, MaxConsumers: 2, Strategy: esclient.Pinned, Statistics: true,
			},
		},
		{Name: "sums", Create: true, Settings: eventstore.DefaultGroupSettings()},
	}
	for i, p := range cfg.Projections {
		if diff := cmp.Diff(want[i], p.Source.Group); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.Name, diff)
		}
	}
	if got := cfg.Projections[1].Source.String(); got != "group sums of stream $ce-order" {
		t.Errorf("named %q", got)
	}
	client, err := esclient.Dial(t.Context(), "tcp://127.0.0.1:1", esclient.WithLazyDial())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, p := range cfg.Build(client) {
		if _, group := p.Source().(source.Group); !group || p.Source().String() != cfg.Projections[i].Source.String() {
			t.Errorf("%s reads %v", p.Name(), p.Source())
		}
	}
	for _, p := range cfg.BuildReading(client) { // looking takes no events from a group
		if _, plain := p.Source().(source.Source); !plain {
			t.Errorf("%s reads %v", p.Name(), p.Source())
		}
		if _, err := projector.NewRunner(memory.Open(), []*projector.Projection{p}); err != nil {
			t.Error(err)
		}
	}
}

func TestGroupRuns(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start(esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	client, err := esclient.Dial(t.Context(), node.URL(), esclient.WithHTTP(node.HTTPURL(), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cfg, err := Parse("f.yml", []byte(`
projections:
  p:
    source: {group: g, stream: s, create: true}
    dedupe: 1h
    key: body.k
    table: {columns: {k: text, n: int}, primary_key: k}
    on: {x: {increment: {n: body.n}}}
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		for _, n := range []int{1, 2} {
			e := esclient.NewEvent{Type: "x", Body: map[string]any{"k": "a", "n": n}}
			if _, err := client.Append(t.Context(), "s", esclient.Any, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	store := memory.Open()
	for range 2 {
		runner, err := projector.NewRunner(store, cfg.Build(client), projector.Once(), projector.WithOnceIdle(200*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var rows [][]any
	err = store.Rows(t.Context(), cfg.Projections[0].Tables()[0], 0, func(row []any) bool {
		rows = append(rows, append([]any(nil), row...))
		return true
	})
	if diff := cmp.Diff([][]any{{"a", int64(60)}}, rows); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}
