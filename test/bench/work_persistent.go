//go:build unix

package main

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/esclient"
)

// persistent consumes the group that the stick made, and acks each event by hand.
func persistent(ctx context.Context, j *job) (measurement, error) {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = client.Close() }()
	m := startMeter()
	sub := client.SubscribePersistent(j.stream, "g", esclient.PersistentOptions{Buffer: j.inflight, ManualAck: true})
	defer sub.Stop()
	seen := make([]bool, j.n)
	count := 0
	for e, err := range sub.Events(ctx) {
		if err != nil {
			return measurement{}, err
		}
		sub.Ack(e)
		if !seen[e.Number] {
			seen[e.Number] = true
			count++
		}
		if count == j.n {
			break
		}
	}
	if count != j.n {
		return measurement{}, fmt.Errorf("got %d events of %d", count, j.n)
	}
	if err := sub.Flush(ctx); err != nil {
		return measurement{}, err
	}
	return m.stop(j.n), nil
}
