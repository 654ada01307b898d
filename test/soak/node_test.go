package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// TestSoakEventStore restarts the event store in mid-batch, with its log on disk, and cuts its connections.
func TestSoakEventStore(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"restarts of the event store", "cuts of its connections"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			node := startNode(t, esnode.Dir(t.TempDir()), esnode.Fsync(esnode.FsyncNever))
			least := size(t, 5, 100)
			w := work{database: newDatabase(t, kindPostgres), events: 400 * least, least: least}
			client := dial(t, node)
			w.source = eventstore.All(client, eventstore.Filter{Types: []string{"pony.jumped"}})
			fill(t, client, 0, w.events)
			// A slow handler, since pages come fast.
			w.before = func(context.Context, tx, projector.Event[jumped]) error {
				time.Sleep(500 * time.Microsecond)
				return nil
			}
			w.run(t, kind, func(ctx context.Context) error {
				if err := wait(ctx, time.Duration(rand.IntN(150))*time.Millisecond); err != nil {
					return err
				}
				if kind == "cuts of its connections" {
					node.current().DropConnections()
					return nil
				}
				return node.restart()
			})
		})
	}
}

// node is an event store that can be restarted at its address.
type node struct {
	opts []esnode.Option
	mu   sync.Mutex
	node *esnode.Node
}

func startNode(t *testing.T, opts ...esnode.Option) *node {
	t.Helper()
	first, err := esnode.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{node: first, opts: append(opts, esnode.Listen(first.Addr().String()))}
	t.Cleanup(func() { _ = n.current().Close() }) // nothing is left to be lost
	return n
}

func (n *node) current() *esnode.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.node
}

func (n *node) restart() error { return n.replace(n.opts...) }

// replace puts another one in the place of this one. Somebody else may have the port for a moment.
func (n *node) replace(opts ...esnode.Option) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.node.Close(); err != nil {
		return err
	}
	var err error
	for range 100 {
		var next *esnode.Node
		if next, err = esnode.Start(opts...); err == nil {
			n.node = next
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func dial(t *testing.T, n *node) *esclient.Client {
	t.Helper()
	client, err := esclient.Dial(t.Context(), n.current().URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// fill appends the events of our log from one on to another, each stream in its order.
func fill(t *testing.T, client *esclient.Client, from, to int) {
	t.Helper()
	streams := map[string][]esclient.NewEvent{}
	for i := from; i < to; i++ {
		stream, e := eventAt(i)
		streams[stream] = append(streams[stream], esclient.NewEvent{ID: e.ID, Type: e.Type, Body: json.RawMessage(e.Data)})
	}
	for stream, events := range streams {
		if _, err := client.Append(t.Context(), stream, esclient.Any, events...); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", stream, err))
		}
	}
}
