//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// jumped is the body of the events that the blaster serves.
type jumped struct {
	Name   string  `json:"name"`
	Height float64 `json:"height_m"`
}

// pony is a row, as in the stick.
type pony struct {
	Name      string `db:"name,key"`
	Jumps     int64
	Best      float64 `db:"best_height_m"`
	LastEvent int64
}

// rows folds all events into one table with a row for each pony.
func rows(ctx context.Context, j *job) (measurement, error) {
	store, remove, err := openStore(ctx, j.database)
	if err != nil {
		return measurement{}, err
	}
	defer remove()
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	p, err := model(client, j)
	if err != nil {
		return measurement{}, err
	}
	if err := reset(ctx, store, p); err != nil {
		return measurement{}, err
	}
	runner, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once())
	if err != nil {
		return measurement{}, err
	}
	m := startMeter()
	if err := runner.Run(ctx); err != nil {
		return measurement{}, err
	}
	result := m.stop(j.n)
	return result, check(ctx, store, p.Tables()[0], j.n)
}

// model is the projection that was asked for: a row for each pony, in Go or in YAML, or one for each event.
func model(client *esclient.Client, j *job) (*projector.Projection, error) {
	src := eventstore.Stream(client, j.stream)
	switch j.model {
	case "insert":
		return projector.New("bench_jumps", src, readmodel.Table("bench_jumps", readmodel.Insert("pony.jumped",
			func(e projector.Event[jumped]) int64 { return e.Number },
			func(e projector.Event[jumped]) (jump, error) {
				return jump{Jumps: 1, Name: e.Body.Name, Height: e.Body.Height, Created: e.Created}, nil
			}))), nil
	case "yaml":
		cfg, err := config.Parse("bench.yaml", []byte(poniesYAML), nil)
		if err != nil {
			return nil, err
		}
		return cfg.Projections[0].Build(src), nil
	}
	return projector.New("bench_ponies", src, readmodel.Table("bench_ponies", readmodel.On("pony.jumped",
		func(e projector.Event[jumped]) string { return e.Body.Name },
		func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
			r.Value.Jumps++
			r.Value.Best = max(r.Value.Best, e.Body.Height)
			r.Value.LastEvent = e.Number
			return nil
		}))), nil
}

// jump is a row for each event.
type jump struct {
	Number  int64 `db:"event_number,key"`
	Jumps   int64 // 1
	Name    string
	Height  float64 `db:"height_m"`
	Created time.Time
}

const poniesYAML = `
projections:
  bench_yaml:
    source: {stream: any}
    key: body.name
    table:
      columns: {name: text, jumps: int, best_height_m: float, last_event: int}
      primary_key: name
    on:
      pony.jumped:
        increment: {jumps: 1}
        max: {best_height_m: body.height_m}
        set: {last_event: event.number}
`

// check adds up the jumps, which are in the second column.
func check(ctx context.Context, store checkpoint.Store, table *checkpoint.Table, n int) error {
	var sum int64
	err := store.Rows(ctx, table, 0, func(row []any) bool {
		sum += row[1].(int64)
		return true
	})
	if err == nil && sum != int64(n) {
		err = fmt.Errorf("%d jumps of %d events", sum, n)
	}
	return err
}

func reset(ctx context.Context, store checkpoint.Store, p *projector.Projection) error {
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	if err := store.EnsureTables(ctx, p.Tables()...); err != nil {
		return err
	}
	err := store.Reset(ctx, p.Name(), p.Tables()...)
	if errors.Is(err, checkpoint.ErrUnknownProjection) {
		return nil
	}
	return err
}

func openStore(ctx context.Context, url string) (store checkpoint.Store, remove func(), err error) {
	if url != "" {
		store, err = postgres.Open(ctx, url)
		return store, func() { _ = store.Close() }, err
	}
	dir, err := os.MkdirTemp("", "projector-bench")
	if err != nil {
		return nil, nil, err
	}
	store, err = sqlite.Open(ctx, filepath.Join(dir, "bench.db"))
	return store, func() { _ = store.Close(); _ = os.RemoveAll(dir) }, err
}
