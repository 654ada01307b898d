//go:build unix

package main

import (
	"context"
	"sync/atomic"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// counted is a source that counts the events it delivers, each of which was decoded from a frame.
type counted struct {
	source.Shareable
	events *atomic.Int64
}

// countEvents makes a source count.
func countEvents(s source.Source, events *atomic.Int64) source.Source {
	return &counted{s.(source.Shareable), events}
}

func (c *counted) Subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	sub, err := c.Shareable.Subscribe(ctx, after)
	return &countedSubscription{sub, c.events}, err
}

type countedSubscription struct {
	source.Subscription
	events *atomic.Int64
}

func (c *countedSubscription) Next(ctx context.Context) (source.Batch, error) {
	b, err := c.Subscription.Next(ctx)
	c.events.Add(int64(len(b.Events)))
	return b, err
}
