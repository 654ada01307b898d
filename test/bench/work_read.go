//go:build unix

package main

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/esclient"
)

// read goes through a stream with the iterator.
func read(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	count, sum := 0, 0
	for e, err := range client.StreamEvents(ctx, j.stream, 0, esclient.ReadOptions{PageSize: 500, Max: j.n}) {
		if err != nil {
			return measurement{}, err
		}
		if e.Number != int64(count) {
			return measurement{}, fmt.Errorf("event %d after %d", e.Number, count-1)
		}
		count++
		sum += touch(&e)
	}
	if count != j.n || sum == 0 {
		return measurement{}, fmt.Errorf("got %d events of %d", count, j.n)
	}
	return m.stop(count), nil
}

// catchUp reads the same with a subscription.
func catchUp(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	sub := client.SubscribeStream(j.stream, esclient.FromStart(), esclient.SubscribeOptions{PageSize: 500})
	defer sub.Stop()
	count, sum := 0, 0
	for e, err := range sub.Events(ctx) {
		if err != nil {
			return measurement{}, err
		}
		if e.Number != int64(count) {
			return measurement{}, fmt.Errorf("event %d after %d", e.Number, count-1)
		}
		sum += touch(&e)
		if count++; count == j.n {
			break
		}
	}
	if count != j.n || sum == 0 {
		return measurement{}, fmt.Errorf("got %d events of %d", count, j.n)
	}
	return m.stop(count), nil
}

// touch uses the bytes of an event.
func touch(e *esclient.Event) int {
	return int(e.Data[0]) + int(e.Data[len(e.Data)-1]) + len(e.Metadata)
}
