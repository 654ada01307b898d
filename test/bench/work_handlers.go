//go:build unix

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// sleepers does what handlers that sleep for 1 ms can do at best: so many goroutines, nothing else.
func sleepers(_ context.Context, j *job) (measurement, error) {
	m := startMeter()
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(j.n))
	for range j.inflight {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	return m.stop(j.n), nil
}

// handlers runs a handler that sleeps for 1 ms, in so many workers.
func handlers(ctx context.Context, j *job) (measurement, error) {
	var called atomic.Int64
	on := projector.On("pony.jumped", func(context.Context, projector.Event[jumped]) error {
		called.Add(1)
		time.Sleep(time.Millisecond)
		return nil
	})
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	byNumber := projector.OrderBy(func(e *source.Event) string { return fmt.Sprint(e.Number % 4096) })
	p := projector.New("handlers", eventstore.Stream(client, j.stream), on).With(byNumber, projector.WithWorkers(j.inflight))
	m, err := runOnce(ctx, j, p)
	if err == nil && called.Load() != int64(j.n) {
		err = fmt.Errorf("%d calls for %d events", called.Load(), j.n)
	}
	return m, err
}

// cheap runs so many projections over one stream, whose handlers only count.
func cheap(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	var called, decoded atomic.Int64
	var all []*projector.Projection
	for i := range j.inflight {
		on := projector.On("pony.jumped", func(context.Context, projector.Event[[]byte]) error {
			called.Add(1)
			return nil
		}, projector.WithCodec(codec.Raw()))
		all = append(all, projector.New(fmt.Sprint("cheap-", i), countEvents(eventstore.Stream(client, j.stream), &decoded), on))
	}
	m, err := runOnce(ctx, j, all...)
	if want := int64(j.n) * int64(j.inflight); err == nil && called.Load() != want {
		err = fmt.Errorf("%d calls, not %d", called.Load(), want)
	}
	m.Decoded = float64(decoded.Load()) / float64(j.n)
	return m, err
}

func runOnce(ctx context.Context, j *job, p ...*projector.Projection) (measurement, error) {
	runner, err := projector.NewRunner(memory.Open(), p, projector.Once())
	if err != nil {
		return measurement{}, err
	}
	m := startMeter()
	if err := runner.Run(ctx); err != nil {
		return measurement{}, err
	}
	return m.stop(j.n), nil
}
