package eventstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func setup(t *testing.T, opts ...esnode.Option) *esclient.Client {
	t.Helper()
	node, err := esnode.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	client, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func appendTo(t *testing.T, c *esclient.Client, stream string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		e := esclient.NewEvent{Type: "counted", Body: json.RawMessage(b), Metadata: json.RawMessage(`{"m":1}`)}
		if _, err := c.Append(t.Context(), stream, esclient.Any, e); err != nil {
			t.Fatal(err)
		}
	}
}

// collect reads until n events have come and the source is live.
func collect(t *testing.T, s source.Source, after checkpoint.Position, n int) (events []source.Event, last source.Batch) {
	t.Helper()
	sub, err := s.Subscribe(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for len(events) < n || !last.Live {
		if last, err = sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		events = append(events, last.Events...)
	}
	return events, last
}

func bodies(events []source.Event) []string {
	all := []string{}
	for _, e := range events {
		all = append(all, string(e.Data))
	}
	return all
}

func TestStream(t *testing.T) {
	t.Parallel()
	c := setup(t)
	s := eventstore.Stream(c, "s")
	if head, err := s.Head(t.Context()); err != nil || !head.IsStart() {
		t.Errorf("head of nothing: %v, %v", head, err)
	}
	appendTo(t, c, "s", "0", "1", "2")
	head, err := s.Head(t.Context())
	if err != nil || head != checkpoint.AtNumber(2) {
		t.Errorf("head: %v, %v", head, err)
	}
	events, last := collect(t, s, checkpoint.Position{}, 3)
	if diff := cmp.Diff(bodies(events), []string{"0", "1", "2"}); diff != "" {
		t.Error(diff)
	}
	if last.Position != head {
		t.Errorf("position %v, want %v", last.Position, head)
	}
	e := events[1]
	if e.Stream != "s" || e.Number != 1 || e.Type != "counted" || !e.JSON || string(e.Metadata) != `{"m":1}` ||
		e.Created.IsZero() || e.Position != checkpoint.AtNumber(1) || s.Advance(checkpoint.Position{}, events[:2]) != e.Position {
		t.Errorf("event %+v", e)
	}
	events, _ = collect(t, s, e.Position, 1)
	if diff := cmp.Diff(bodies(events), []string{"2"}); diff != "" {
		t.Error(diff)
	}
	if s.String() != "stream s" {
		t.Error(s)
	}
}

func TestCategory(t *testing.T) {
	t.Parallel()
	c := setup(t, esnode.SystemProjections(true))
	appendTo(t, c, "pony-a", `"a0"`)
	appendTo(t, c, "pony-b", `"b0"`, `"b1"`)
	appendTo(t, c, "horse-a", `"x"`)
	appendTo(t, c, "pony-a", `"a1"`)
	s := eventstore.Category(c, "pony")
	events, last := collect(t, s, checkpoint.Position{}, 4)
	if diff := cmp.Diff(bodies(events), []string{`"a0"`, `"b0"`, `"b1"`, `"a1"`}); diff != "" {
		t.Error(diff)
	}
	if e := events[2]; e.Stream != "pony-b" || e.Number != 1 || e.Link == nil || e.Link.Number != 2 || e.Position != checkpoint.AtNumber(2) {
		t.Errorf("event %+v", e)
	}
	if head, err := s.Head(t.Context()); err != nil || head != last.Position {
		t.Errorf("head %v %v, want %v", head, err, last.Position)
	}
	at, err := s.EventAt(t.Context(), checkpoint.AtNumber(2))
	if diff := cmp.Diff(at, events[2], cmp.Comparer(func(a, b checkpoint.Position) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("event at 2: %v %v", diff, err)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]esnode.Option{"5": nil, "20": {esnode.Version20()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, opts...)
			for i := range 1000 {
				appendTo(t, c, fmt.Sprintf("area-%d", i%7), fmt.Sprintf(`"area %d"`, i))
				if i%10 == 0 {
					appendTo(t, c, "other", fmt.Sprintf(`"other %d"`, i))
				}
			}
			tests := []struct {
				filter eventstore.Filter
				n      int
				name   string
			}{
				{eventstore.Filter{}, 1100, "all"},
				{eventstore.Filter{Streams: []string{"area-*"}}, 1000, "all streams area-*"},
				{eventstore.Filter{Streams: []string{"other"}}, 100, "all streams other"},
				{eventstore.Filter{Streams: []string{"area-1", "area-2"}}, 286, "all streams area-1, area-2"},
				{eventstore.Filter{Types: []string{"count*"}}, 1100, "all types count*"},
				{eventstore.Filter{Streams: []string{"other"}, Types: []string{"none"}}, 0, "all streams other types none"},
			}
			for _, tt := range tests {
				s := eventstore.All(c, tt.filter)
				if s.String() != tt.name {
					t.Errorf("name %q, want %q", s, tt.name)
				}
				events, last := collect(t, s, checkpoint.Position{}, tt.n)
				if len(events) != tt.n {
					t.Errorf("%s: got %d events, want %d", s, len(events), tt.n)
				}
				head, err := s.Head(t.Context())
				if order, ok := last.Position.Compare(head); err != nil || !ok || order < 0 {
					t.Errorf("%s: live at %v, before the head %v (%v)", s, last.Position, head, err)
				}
				if tt.n == 0 {
					continue
				}
				middle := events[tt.n/2]
				rest, _ := collect(t, s, middle.Position, tt.n-tt.n/2-1)
				if diff := cmp.Diff(bodies(rest), bodies(events[tt.n/2+1:])); diff != "" {
					t.Errorf("%s: from the middle: %s", s, diff)
				}
				if at, err := s.EventAt(t.Context(), middle.Position); err != nil || at.ID != middle.ID {
					t.Errorf("%s: event at %v: %v, %v", s, middle.Position, at, err)
				}
			}
		})
	}
}

func TestAllLive(t *testing.T) {
	t.Parallel()
	c := setup(t)
	s := eventstore.All(c, eventstore.Filter{Streams: []string{"area-*"}})
	sub, err := s.Subscribe(t.Context(), checkpoint.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for b := (source.Batch{}); !b.Live; {
		if b, err = sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(t, c, "other", "0")
	appendTo(t, c, "area-1", "1")
	var got []string
	for !slices.Contains(got, "1") {
		b, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, bodies(b.Events)...)
	}
	if len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	c := setup(t)
	ctx := t.Context()
	appendTo(t, c, "s", "0", "1", "2", "3")
	if _, err := c.SetStreamMetadata(ctx, "s", esclient.Any, esclient.StreamMetadata{TruncateBefore: 2}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, c, "gone", "0", "1")
	if _, err := c.Delete(ctx, "gone", esclient.Any); err != nil {
		t.Fatal(err)
	}
	appendTo(t, c, "dead", "0")
	if _, err := c.Tombstone(ctx, "dead", esclient.Any); err != nil {
		t.Fatal(err)
	}
	at := checkpoint.AtNumber
	all := eventstore.All(c, eventstore.Filter{})
	head, err := all.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	commit, prepare, _ := head.Log()
	tests := []struct {
		s    source.Source
		at   checkpoint.Position
		want error
	}{
		{eventstore.Stream(c, "s"), at(3), nil},
		{eventstore.Stream(c, "s"), at(4), source.ErrBeyondHead},
		{eventstore.Stream(c, "s"), at(1), source.ErrGone},
		{eventstore.Stream(c, "none"), at(0), source.ErrBeyondHead},
		{eventstore.Stream(c, "gone"), at(1), source.ErrGone},
		{eventstore.Stream(c, "gone"), at(2), source.ErrBeyondHead},
		{eventstore.Stream(c, "dead"), at(0), source.ErrStreamDeleted},
		{eventstore.Stream(c, "s"), checkpoint.AtLog(1, 1), source.ErrRefused},
		{all, head, nil},
		{all, checkpoint.AtLog(commit+1_000_000, prepare+1_000_000), source.ErrBeyondHead},
		{all, at(1), source.ErrRefused},
	}
	for _, tt := range tests {
		if _, err := tt.s.EventAt(ctx, tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: event at %v: got %v, want %v", tt.s, tt.at, err, tt.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := setup(t, esnode.User("reader", "reader"))
	anonymous := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "reader", Password: "reader"}})
	s := eventstore.All(anonymous, eventstore.Filter{})
	if _, err := s.Head(t.Context()); !errors.Is(err, source.ErrRefused) {
		t.Errorf("head: %v", err)
	}
	sub, err := s.Subscribe(t.Context(), checkpoint.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(t.Context()); !errors.Is(err, source.ErrRefused) {
		t.Errorf("next: %v", err)
	}
}

func TestNextEndsWithContext(t *testing.T) {
	t.Parallel()
	c := setup(t)
	sub, err := eventstore.Stream(c, "s").Subscribe(t.Context(), checkpoint.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(t.Context()); err != nil { // live
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sub.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	appendTo(t, c, "s", "0")
	if b, err := sub.Next(t.Context()); err != nil || len(b.Events) != 1 {
		t.Errorf("after that: %v %v", b, err)
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
}
