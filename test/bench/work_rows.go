//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
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
	ponies := readmodel.Table("bench_ponies", readmodel.On("pony.jumped",
		func(e projector.Event[jumped]) string { return e.Body.Name },
		func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
			r.Value.Jumps++
			r.Value.Best = max(r.Value.Best, e.Body.Height)
			r.Value.LastEvent = e.Number
			return nil
		}))
	p := projector.New("bench_ponies", eventstore.Stream(client, j.stream), ponies)
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

// check adds up the rows.
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
