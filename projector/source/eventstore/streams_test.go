package eventstore_test

import (
	cmp2 "cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// byStream sorts bodies by their streams and leaves each stream in its order.
func byStream(events []source.Event) map[string][]string {
	all := map[string][]string{}
	for _, e := range events {
		all[e.Stream] = append(all[e.Stream], string(e.Data))
	}
	return all
}

func TestStreams(t *testing.T) {
	t.Parallel()
	c := setup(t)
	s := eventstore.Streams(c, "b", "a", "never", "a")
	if got := s.String(); got != "streams a, b, never" {
		t.Errorf("title %q", got)
	}
	if head, err := s.Head(t.Context()); err != nil || !head.IsStart() {
		t.Errorf("head of nothing: %v, %v", head, err)
	}
	appendTo(t, c, "a", "0", "1", "2")
	appendTo(t, c, "b", "10", "11")
	appendTo(t, c, "c", "99")
	want := checkpoint.AtNumbers(map[string]int64{"a": 2, "b": 1})
	if head, err := s.Head(t.Context()); err != nil || head != want {
		t.Errorf("head %v, %v, want %v", head, err, want)
	}
	events, last := collect(t, s, checkpoint.Position{}, 5)
	if diff := cmp.Diff(byStream(events), map[string][]string{"a": {"0", "1", "2"}, "b": {"10", "11"}}); diff != "" {
		t.Error(diff)
	}
	if last.Position != want || s.Advance(checkpoint.Position{}, events) != want {
		t.Errorf("position %v, advanced %v, want %v", last.Position, s.Advance(checkpoint.Position{}, events), want)
	}
	for _, e := range events {
		if e.Position != checkpoint.AtNumbers(map[string]int64{e.Stream: e.Number}) {
			t.Errorf("position %v of event %d of %s", e.Position, e.Number, e.Stream)
		}
		if at, err := s.EventAt(t.Context(), e.Position); err != nil || at.ID != e.ID || at.Position != e.Position {
			t.Errorf("event at %v: %+v, %v", e.Position, at, err)
		}
	}
	events, _ = collect(t, s, checkpoint.AtNumbers(map[string]int64{"a": 1}), 3)
	if diff := cmp.Diff(byStream(events), map[string][]string{"a": {"2"}, "b": {"10", "11"}}); diff != "" {
		t.Error(diff)
	}
}

func TestStreamsRefuse(t *testing.T) {
	t.Parallel()
	c := setup(t)
	appendTo(t, c, "a", "0", "1", "2")
	s := eventstore.Streams(c, "a", "b")
	for _, at := range []checkpoint.Position{
		checkpoint.AtNumber(1), checkpoint.AtLog(1, 1), checkpoint.AtNumbers(map[string]int64{"c": 1}),
	} {
		if _, err := s.Subscribe(t.Context(), at); !errors.Is(err, source.ErrRefused) {
			t.Errorf("subscribe after %v: %v", at, err)
		}
	}
	if _, err := eventstore.Streams(c).Subscribe(t.Context(), checkpoint.Position{}); !errors.Is(err, source.ErrRefused) {
		t.Errorf("no streams: %v", err)
	}
	both := checkpoint.AtNumbers(map[string]int64{"a": 1, "b": 1})
	if _, err := s.EventAt(t.Context(), both); !errors.Is(err, source.ErrRefused) {
		t.Errorf("event at two positions: %v", err)
	}
	check := s.(source.Checker).Check
	if err := check(t.Context(), both); !errors.Is(err, source.ErrBeyondHead) {
		t.Errorf("a stream that was read and does not exist: %v", err)
	}
	if err := check(t.Context(), checkpoint.AtNumbers(map[string]int64{"a": 2})); err != nil {
		t.Error(err)
	}
	if _, err := c.Delete(t.Context(), "a", esclient.Any); err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context(), checkpoint.AtNumbers(map[string]int64{"a": 2})); err != nil {
		t.Errorf("deleted softly, so it may be that stream: %v", err)
	}
}

// TestStreamsProjection has a projection read streams that grow while it runs, through cut connections and restarts.
func TestStreamsProjection(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	c, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const streams, each = 7, 300
	var names []string
	for i := range streams {
		names = append(names, fmt.Sprintf("s-%d", i))
	}
	var writers sync.WaitGroup
	for _, name := range names {
		writers.Go(func() {
			for i := range each {
				e := esclient.NewEvent{Type: "counted", Body: json.RawMessage(fmt.Sprint(i))}
				if _, err := c.Append(t.Context(), name, esclient.Any, e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	store := memory.Open()
	var mu sync.Mutex
	got := map[string][]int64{}
	count := projector.On("counted", func(_ context.Context, e projector.Event[int64]) error {
		mu.Lock()
		defer mu.Unlock()
		if e.Body != e.Number {
			t.Errorf("event %d of %s is %d", e.Number, e.Stream, e.Body)
		}
		if n := len(got[e.Stream]); n == 0 || got[e.Stream][n-1] < e.Number { // handlers may see an event twice, in order
			got[e.Stream] = append(got[e.Stream], e.Number)
		}
		return nil
	})
	end := make(map[string]int64)
	for _, name := range names {
		end[name] = each - 1
	}
	for done := false; !done; { // several runs, each from where the last one was
		p := projector.New("counts", eventstore.Streams(c, names...), count)
		r, err := projector.NewRunner(store, []*projector.Projection{p})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		target := make(map[string]int64)
		for name, n := range end {
			target[name] = min(n, int64(len(got[name])+50+rand.IntN(50)))
		}
		if err := r.WaitFor(ctx, "counts", checkpoint.AtNumbers(target)); err != nil {
			t.Fatal(err)
		}
		node.DropConnections()
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		st, err := store.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = st[0].Position == checkpoint.AtNumbers(end)
	}
	writers.Wait()
	for _, name := range names {
		if n := len(got[name]); n != each || !slices.IsSorted(got[name]) {
			t.Errorf("%s: %d events of %d", name, n, each)
		}
	}
}

// TestStreamsIdentity replaces one of the streams that a projection has read, and truncates ahead of it.
func TestStreamsIdentity(t *testing.T) {
	t.Parallel()
	c, store := setup(t), memory.Open()
	run := func() (projector.Status, error) {
		p := projector.New("counts", eventstore.Streams(c, "a", "b"), projector.On("counted", func(context.Context, projector.Event[int]) error { return nil }))
		r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once())
		if err != nil {
			t.Fatal(err)
		}
		err = r.Run(t.Context())
		return r.Status()[0], err
	}
	appendTo(t, c, "a", "0", "1", "2")
	appendTo(t, c, "b", "0", "1", "2", "3")
	if st, err := run(); err != nil || st.Handled != 7 {
		t.Fatalf("%+v, %v", st, err)
	}
	appendTo(t, c, "b", "4", "5", "6", "7")
	if _, err := c.SetStreamMetadata(t.Context(), "b", esclient.Any, esclient.StreamMetadata{TruncateBefore: 6}); err != nil {
		t.Fatal(err)
	}
	if st, err := run(); err != nil || st.Handled != 2 || st.Gaps != 2 {
		t.Errorf("%+v, %v: want 2 events after a gap of 2", st, err)
	}
	other := setup(t)
	appendTo(t, other, "a", "0", "1", "2")
	c = other
	if _, err := run(); !errors.Is(err, projector.ErrOtherLog) {
		t.Errorf("a log without stream b: %v", err)
	}
}

// spaced starts a node in which a minute passes with each event.
func spaced(t *testing.T, streams, n int) (c *esclient.Client, times []time.Time) {
	t.Helper()
	clock := esnode.NewManualClock(time.Date(2024, 3, 1, 6, 0, 0, 0, time.UTC))
	c = setup(t, esnode.SystemProjections(true), esnode.Clock(clock))
	for i := range n {
		times = append(times, clock.Now())
		appendTo(t, c, fmt.Sprintf("x-%d", i%streams), fmt.Sprint(i))
		clock.Advance(time.Minute)
	}
	return c, times
}

func TestBefore(t *testing.T) {
	t.Parallel()
	c, times := spaced(t, 2, 40)
	if _, err := c.SetStreamMetadata(t.Context(), "x-1", esclient.Any, esclient.StreamMetadata{TruncateBefore: 3}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		source   source.Source
		readable func(i int) bool
	}{
		{eventstore.Stream(c, "x-0"), func(i int) bool { return i%2 == 0 }},
		{eventstore.Category(c, "x"), func(i int) bool { return i%2 == 0 || i > 5 }},
		{eventstore.Streams(c, "x-0", "x-1"), func(i int) bool { return i%2 == 0 || i > 5 }},
		{eventstore.All(c, eventstore.Filter{Streams: []string{"x-*"}}), func(int) bool { return true }}, // truncation hides nothing in the log,
	} {
		for _, at := range []time.Time{times[0].Add(-time.Hour), times[0], times[3], times[17], times[17].Add(time.Second), times[39], times[39].Add(time.Hour)} {
			p, err := test.source.(source.Timed).Before(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{}
			for i, created := range times {
				if test.readable(i) && !created.Before(at) {
					want = append(want, fmt.Sprint(i))
				}
			}
			events, _ := collect(t, test.source, p, 0)
			got := []string{}
			for _, e := range events {
				if e.Link == nil || !e.Link.Unresolved {
					got = append(got, string(e.Data))
				}
			}
			slices.SortFunc(got, byNumber)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s from %v: %s", test.source, at, diff)
			}
		}
	}
	for _, s := range []source.Source{eventstore.Stream(c, "none"), eventstore.Streams(c, "none")} {
		if p, err := s.(source.Timed).Before(t.Context(), times[0]); err != nil || !p.IsStart() {
			t.Errorf("%s: %v, %v", s, p, err)
		}
	}
}

func byNumber(a, b string) int {
	return cmp2.Or(cmp2.Compare(len(a), len(b)), cmp2.Compare(a, b))
}

func TestStartAtTime(t *testing.T) {
	t.Parallel()
	c, times := spaced(t, 1, 5)
	var got []int
	p := projector.New("late", eventstore.Stream(c, "x-0"), projector.On("counted", func(_ context.Context, e projector.Event[int]) error {
		got = append(got, e.Body)
		return nil
	})).With(projector.StartAtTime(times[3]))
	r, err := projector.NewRunner(memory.Open(), []*projector.Projection{p}, projector.Once())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []int{3, 4}) {
		t.Errorf("handled %v", got)
	}
}
