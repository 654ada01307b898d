package emit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/emit"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (*esnode.Node, *esclient.Client) {
	t.Helper()
	node, err := esnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	client, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return node, client
}

type born struct{ Name string }

const (
	trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ponys = 20
)

// seed appends births; those with an even number say what they belong to.
func seed(t *testing.T, c *esclient.Client) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, ponys)
	for i := range ids {
		ids[i] = uuid.New()
		e := esclient.NewEvent{ID: ids[i], Type: "pony.born", Body: born{fmt.Sprint("pony ", i)}}
		if i%2 == 0 {
			e.Metadata = map[string]string{"$correlationId": fmt.Sprint("order ", i), "traceparent": trace, "tracestate": "a=b"}
		}
		if _, err := c.Append(t.Context(), "births", esclient.Any, e); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// runOnce runs a projection of births from the beginning, as if it had never run.
func runOnce(t *testing.T, c *esclient.Client, parts ...projector.Part) error {
	t.Helper()
	p := projector.New("greeter", eventstore.Stream(c, "births"), parts...).With(projector.WithRetryDelays(time.Millisecond, time.Millisecond))
	r, err := projector.NewRunner(memory.Open(), []*projector.Projection{p}, projector.Once(), projector.WithWorkers(4))
	if err != nil {
		t.Fatal(err)
	}
	return r.Run(t.Context())
}

func read(t *testing.T, c *esclient.Client, stream string) []esclient.Event {
	t.Helper()
	page, err := c.ReadStream(t.Context(), stream, 0, esclient.ReadOptions{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Events
}

func TestRedeliveryAppendsNothingTwice(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	ids := seed(t, c)
	failed := map[uuid.UUID]bool{}
	greet := projector.On("pony.born", func(ctx context.Context, e projector.Event[born]) error {
		due := func(who string) esclient.NewEvent {
			return esclient.NewEvent{Type: "greeting.due", Body: map[string]string{"to": e.Body.Name, "from": who}}
		}
		if _, err := emit.Append(ctx, c, "greetings", esclient.Any, due("ada"), due("bo")); err != nil {
			return err
		}
		if !failed[e.ID] { // after the append, so that it is repeated
			failed[e.ID] = true
			return errors.New("once")
		}
		if _, err := emit.Append(ctx, c, "greetings", esclient.Any, due("cy")); err != nil {
			return err
		}
		_, err := emit.Append(ctx, c, "welcome-"+e.ID.String(), esclient.NoStream, due("dee"))
		return err
	})
	for range 3 {
		if err := runOnce(t, c, greet); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for _, e := range read(t, c, "greetings") {
		var body map[string]string
		if err := json.Unmarshal(e.Data, &body); err != nil {
			t.Fatal(err)
		}
		got[body["to"]+" from "+body["from"]]++
	}
	want := map[string]int{}
	for i := range ids {
		for _, who := range []string{"ada", "bo", "cy"} {
			want[fmt.Sprintf("pony %d from %s", i, who)] = 1
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("greetings (-want +got):\n%s", diff)
	}
	for _, id := range ids {
		if n := len(read(t, c, "welcome-"+id.String())); n != 1 {
			t.Errorf("%d welcomes for %v", n, id)
		}
	}
}

func TestEmittedEventsSayWhatCausedThem(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	ids := seed(t, c)
	err := runOnce(t, c, projector.On("pony.born", func(ctx context.Context, e projector.Event[born]) error {
		_, err := emit.Append(ctx, c, "greetings-"+e.ID.String(), esclient.NoStream,
			esclient.NewEvent{Type: "a"},
			esclient.NewEvent{Type: "b", Metadata: map[string]any{"by": "test", "$correlationId": "own"}},
			esclient.NewEvent{Type: "c", Metadata: json.RawMessage(`{"n":12345678901234567890}`), ID: e.DeriveID("c")})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		correlation, traced := id.String(), ""
		if i%2 == 0 {
			correlation, traced = fmt.Sprint("order ", i), fmt.Sprintf(`,"traceparent":%q,"tracestate":"a=b"`, trace)
		}
		want := []string{
			fmt.Sprintf(`{"$correlationId":%q,"$causationId":%q%s}`, correlation, id, traced),
			fmt.Sprintf(`{"$causationId":%q,"$correlationId":"own","by":"test"%s}`, id, traced),
			fmt.Sprintf(`{"$causationId":%q,"$correlationId":%q,"n":12345678901234567890%s}`, id, correlation, traced),
		}
		var got []string
		for _, e := range read(t, c, "greetings-"+id.String()) {
			got = append(got, string(e.Metadata))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	}
}

// Ids depend on projection, event, handler and order, and on nothing else.
func TestIDs(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	seed(t, c)
	var runs [2][]uuid.UUID
	for i := range runs {
		seen := map[uuid.UUID]bool{}
		emitTwo := func(ctx context.Context, _ projector.Event[[]byte]) error {
			for range 2 {
				events, err := emit.Prepare(ctx, esclient.NewEvent{Type: "a"}, esclient.NewEvent{Type: "b"})
				if err != nil {
					return err
				}
				for _, e := range events {
					if seen[e.ID] {
						return projector.Stop(fmt.Errorf("id %v comes twice", e.ID))
					}
					seen[e.ID] = true
					runs[i] = append(runs[i], e.ID)
				}
			}
			return nil
		}
		if err := runOnce(t, c, projector.OnAny(emitTwo)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(runs[0], runs[1]); diff != "" || len(runs[0]) != 4*ponys {
		t.Errorf("%d ids: %s", len(runs[0]), diff)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	if _, err := emit.Append(t.Context(), c, "s", esclient.Any, esclient.NewEvent{Type: "x"}); !errors.Is(err, emit.ErrNoEvent) {
		t.Errorf("outside of a handler: %v", err)
	}
	seed(t, c)
	for _, metadata := range []any{[]byte{0xff}, "text", json.RawMessage("null"), []int{1}, func() {}} {
		err := runOnce(t, c, projector.On("pony.born", func(ctx context.Context, _ projector.Event[born]) error {
			_, err := emit.Append(ctx, c, "s", esclient.Any, esclient.NewEvent{Type: "x", Metadata: metadata})
			return projector.Stop(err)
		}))
		if !errors.Is(err, emit.ErrMetadata) {
			t.Errorf("metadata %v: %v", metadata, err)
		}
	}
}

// While the event store is away nothing is parked.
func TestUnreachableEventStoreIsAnOutage(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	seed(t, c)
	gone, other := start(t)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	tries := 0
	err := runOnce(t, c, projector.On("pony.born", func(ctx context.Context, e projector.Event[born]) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if tries++; tries > 10 { // more often than the policy tries an event
			return projector.Stop(errors.New("enough"))
		}
		_, err := emit.Append(ctx, other, "s", esclient.Any, esclient.NewEvent{Type: "x"})
		return err
	}))
	if stopped := (*projector.StoppedError)(nil); !errors.As(err, &stopped) || tries != 11 || stopped.Event.Number != 0 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
