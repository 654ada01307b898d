package eventstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// A process reads once for all shards that it owns, and the event store sees one subscription.
func TestShardsSubscribeOnce(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	var subscriptions atomic.Int64
	node.Intercept(esnode.SubscribeToStream, func(esnode.Package) esnode.Fault {
		subscriptions.Add(1)
		return esnode.Fault{}
	})
	client, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for i := range 200 {
		appendTo(t, client, "s", fmt.Sprintf(`{"n":%d}`, i))
	}
	var handled atomic.Int64
	p := projector.New("p", eventstore.Stream(client, "s"), projector.OnAny(func(context.Context, projector.Event[[]byte]) error {
		handled.Add(1)
		return nil
	})).With(projector.Shards(16), projector.OrderBy(func(e *source.Event) string { return string(e.Data) }))
	r, err := projector.NewRunner(memory.Open(), []*projector.Projection{p})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with ctx
	if err := r.WaitFor(t.Context(), "p", checkpoint.AtNumber(199)); err != nil {
		t.Fatal(err)
	}
	appendTo(t, client, "s", `{"n":"live"}`)
	if err := r.WaitFor(t.Context(), "p", checkpoint.AtNumber(200)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if handled.Load() != 201 || subscriptions.Load() != 1 {
		t.Errorf("%d events handled with %d subscriptions", handled.Load(), subscriptions.Load())
	}
}
