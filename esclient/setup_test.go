package esclient_test

import (
	"fmt"
	"testing"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

// setup starts a node and connects a client to it, both for the length of the test.
func setup(t testing.TB, opts ...esclient.Option) (*esclient.Client, *esnode.Node) {
	t.Helper()
	node := startNode(t)
	return dial(t, node.URL(), opts...), node
}

func startNode(t testing.TB, opts ...esnode.Option) *esnode.Node {
	t.Helper()
	node, err := esnode.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	return node
}

func dial(t testing.TB, url string, opts ...esclient.Option) *esclient.Client {
	t.Helper()
	client, err := esclient.Dial(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// numbered makes events whose bodies are the numbers from first on.
func numbered(first, n int) []esclient.NewEvent {
	events := make([]esclient.NewEvent, n)
	for i := range events {
		events[i] = esclient.NewEvent{Type: "counted", Body: first + i}
	}
	return events
}

// fill appends n numbered events to a stream.
func fill(t testing.TB, c *esclient.Client, stream string, n int) {
	t.Helper()
	for first := 0; first < n; first += 500 {
		if _, err := c.Append(t.Context(), stream, esclient.Any, numbered(first, min(500, n-first))...); err != nil {
			t.Fatal(err)
		}
	}
}

// wantNumber checks that an event is the one of that number, with that body.
func wantNumber(t testing.TB, e esclient.Event, n int64) {
	t.Helper()
	if e.Number != n || string(e.Data) != fmt.Sprint(n) {
		t.Fatalf("got event %d with body %s, want %d", e.Number, e.Data, n)
	}
}
