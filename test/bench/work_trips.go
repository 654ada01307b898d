//go:build unix

package main

import (
	"context"
	"math"
	"time"

	"github.com/photonpump/projector/esclient"
)

// trips counts the round trips from an open TCP connection to the end of the first operation, the introduction included:
// after Dial, and again after the connection was lost. The work is the slowest of an append, a read, and a subscription
// that goes live.
func trips(ctx context.Context, j *job) (m measurement, err error) {
	if err := fillStream(ctx, j); err != nil {
		return m, err
	}
	for _, first := range []func(context.Context, *esclient.Client) error{appendFirst, readFirst, j.liveFirst} {
		l := &line{trip: 200 * time.Millisecond}
		client, err := esclient.Dial(ctx, j.url(), esclient.WithDialer(l.dial))
		if err != nil {
			return m, err
		}
		if err := first(ctx, client); err != nil {
			return m, err
		}
		m.Trips = max(m.Trips, l.trips())
		l.cut()
		if err := first(ctx, client); err != nil {
			return m, err
		}
		m.TripsAgain = max(m.TripsAgain, l.trips())
		if err := client.Close(); err != nil {
			return m, err
		}
	}
	// What a busy machine adds is less than half a trip.
	m.Trips, m.TripsAgain = math.Round(m.Trips), math.Round(m.TripsAgain)
	return m, nil
}

func fillStream(ctx context.Context, j *job) error {
	client, err := esclient.Dial(ctx, j.url())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	_, err = client.AppendFrom(ctx, j.stream, esclient.Any, generate(j.n), esclient.AppendFromOptions{})
	return err
}

func appendFirst(ctx context.Context, c *esclient.Client) error {
	_, err := c.Append(ctx, "trips", esclient.Any, newEvent(0))
	return err
}

func readFirst(ctx context.Context, c *esclient.Client) error {
	_, err := c.ReadEvent(ctx, "$streams", 0, esclient.ReadOptions{})
	return err
}

// liveFirst subscribes close to the end of a stream, and waits until it is told that nothing is missing.
func (j *job) liveFirst(ctx context.Context, c *esclient.Client) error {
	sub := c.SubscribeStream(j.stream, esclient.AfterNumber(int64(j.n)-11), esclient.SubscribeOptions{})
	defer sub.Stop()
	for {
		b, err := sub.Next(ctx)
		if err != nil || b.Live {
			return err
		}
	}
}
