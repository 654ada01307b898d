//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/photonpump/projector/esclient"
)

// newEvent is an event of the size that the sticks append: 256 B of JSON and 64 B of metadata.
func newEvent(i int) esclient.NewEvent {
	data := fmt.Appendf(make([]byte, 0, 256), `{"name":"pony-%04d","height_m":%d.%03d,"seq":%d,"note":"`, i%1000, 1+i%2, i%1000, i)
	for len(data) < 254 {
		data = append(data, 'x')
	}
	meta := fmt.Appendf(make([]byte, 0, 64), `{"$correlationId":"c-%d","u":"`, i)
	for len(meta) < 62 {
		meta = append(meta, 'm')
	}
	return esclient.NewEvent{
		Type: "pony.jumped", Body: json.RawMessage(append(data, `"}`...)), Metadata: json.RawMessage(append(meta, `"}`...)),
	}
}

// appendOne appends one event a request, so many requests in flight.
func appendOne(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	window := make([]*esclient.Pending, j.inflight)
	for i := range j.n + j.inflight {
		slot := &window[i%j.inflight]
		if *slot != nil {
			if _, err := (*slot).Wait(ctx); err != nil {
				return measurement{}, err
			}
			*slot = nil
		}
		if i < j.n {
			*slot = client.AppendAsync(ctx, j.stream, esclient.Any, newEvent(i))
		}
	}
	return m.stop(j.n), nil
}

// appendFrom appends what a generator yields.
func appendFrom(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	res, err := client.AppendFrom(ctx, j.stream, esclient.Any, generate(j.n), esclient.AppendFromOptions{Batch: 100, InFlight: 10})
	if err != nil {
		return measurement{}, err
	}
	if res.Last != int64(j.n)-1 {
		return measurement{}, fmt.Errorf("the last event has number %d, not %d", res.Last, j.n-1)
	}
	return m.stop(j.n), nil
}

func generate(n int) iter.Seq[esclient.NewEvent] {
	return func(yield func(esclient.NewEvent) bool) {
		for i := range n {
			if !yield(newEvent(i)) {
				return
			}
		}
	}
}

// live appends one event at a time and measures until it comes back on a subscription.
func live(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	sub := client.SubscribeStream(j.stream, esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	for isLive := false; !isLive; {
		b, err := sub.Next(ctx)
		if err != nil {
			return measurement{}, err
		}
		isLive = b.Live
	}
	m := startMeter()
	latencies := make([]time.Duration, 0, j.n)
	for i := range j.n {
		event := newEvent(i)
		began := time.Now()
		pending := client.AppendAsync(ctx, j.stream, esclient.Any, event)
		for got := 0; got == 0; {
			b, err := sub.Next(ctx)
			if err != nil {
				return measurement{}, err
			}
			got = len(b.Events)
		}
		latencies = append(latencies, time.Since(began))
		if _, err := pending.Wait(ctx); err != nil {
			return measurement{}, err
		}
	}
	return m.stop(j.n).latencies(latencies), nil
}
