//go:build unix

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/photonpump/projector/esclient"
)

// pushed takes half of the events from history, and half as they are pushed at full speed into a handler that takes its
// time: none may be lost or come twice.
func pushed(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	sub := client.SubscribeStream(j.stream, esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	count := 0
	for e, err := range sub.Events(ctx) {
		if err != nil {
			return measurement{}, err
		}
		if e.Number != int64(count) {
			return measurement{}, fmt.Errorf("event %d after %d", e.Number, count-1)
		}
		if count++; count == j.n {
			break
		}
		if count%1000 == 0 {
			time.Sleep(10 * time.Millisecond) // 100,000 events a second at most
		}
	}
	return m.stop(count), nil
}
