package projector_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// Rows count each event once, although acks are lost again and again, in the middle of a batch too.
func TestGroupDedupe(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 500
	b.append(n)
	var cuts atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionAckEvents, func(esnode.Package) esnode.Fault {
		if c := cuts.Add(1); c%2 == 1 && c < 12 {
			return esnode.Fault{Cut: true}
		}
		return esnode.Fault{}
	})
	store, tab := memory.Open(), newTally("jumps")
	rec := &recorder{}
	p := projector.New("p", b.group(), tab, projector.On("pony.jumped", rec.handle)).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, append(fast(), projector.WithInFlight(20))...)
	stop := running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == n })
	b.settled(n - 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
	if st := stored(t, store); st.Handled != n || st.Position != checkpoint.AtNumber(n-1) || st.Held {
		t.Errorf("stored %+v", st)
	}
	if kept, err := store.Remembered(t.Context(), "p"); err != nil || kept != n {
		t.Errorf("%d ids remembered, %v", kept, err)
	}
	if diff := gocmp.Diff(numbers(n), slices.Compact(sorted(rec.keys()))); diff != "" {
		t.Error(diff)
	}
}

// A process that dies after the commit and before the ack: the next one knows.
func TestGroupDedupeAfterDeath(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 60
	b.append(n)
	store, tab := memory.Open(), newTally("jumps")
	remove := b.node.Intercept(esnode.PersistentSubscriptionAckEvents, esnode.Always(esnode.Fault{Discard: true}))
	for range 3 {
		client := b.dial()
		p := projector.New("p", groupOf(client), tab).With(projector.WithDedupe(time.Hour))
		r := newRunner(t, store, p, append(fast(), projector.WithInFlight(20), projector.Once())...)
		ctx, die := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		until(t, r, "committed", func(s projector.Status) bool { return s.Position != checkpoint.Position{} })
		_ = client.Close() // as a killed process leaves it
		die()
		<-done
	}
	remove()
	p := projector.New("p", b.group(), tab).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, fast()...)
	running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return stored(t, store).Handled == n })
	b.settled(n - 1) // however often its connection is lost on a busy machine
	if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
	if st := stored(t, store); st.Handled != n {
		t.Errorf("stored %+v", st)
	}
}

// With dedupe a bad event is parked by the group too, and what was in its batch is not held up.
func TestGroupDedupeParks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fold", "refused", "effect"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			const n = 50
			b.append(n)
			store, tab, rec := memory.Open(), newTally("jumps"), &recorder{}
			var healed atomic.Bool
			bad := func(number int64) error {
				if (number == 7 || number == 31) && !healed.Load() {
					return errors.New("bad jump")
				}
				return nil
			}
			parts := []projector.Part{tab}
			want := int64(n - 2)
			switch kind {
			case "fold":
				tab.bad = func(e *source.Event) error { return bad(e.Number) }
			case "refused":
				tab.max = 48 // the 49th and what comes after
			case "effect":
				parts = append(parts, projector.On("pony.jumped", func(ctx context.Context, e projector.Event[jumped]) error {
					if err := bad(e.Number); err != nil {
						return err
					}
					return rec.handle(ctx, e)
				}))
			}
			p := projector.New("p", b.group(), parts...).With(projector.WithDedupe(time.Hour))
			r := newRunner(t, store, p, fast()...)
			stop := running(t, r)
			until(t, r, "done", func(s projector.Status) bool { return s.Handled == want && len(b.parked()) == 2 })
			b.settled(n - 1)
			if diff := gocmp.Diff(map[string]int64{"ponies": want}, counts(t, store, tab)); diff != "" {
				t.Error(diff)
			}
			if kind == "effect" {
				if got := sorted(rec.keys()); len(got) != int(want) {
					t.Errorf("%d calls for %d events: %v", len(got), want, got)
				}
			}
			if kind == "refused" {
				return
			}
			healed.Store(true)
			if err := b.client.ReplayParked(t.Context(), "ponies", "g"); err != nil {
				t.Fatal(err)
			}
			until(t, r, "replayed", func(s projector.Status) bool { return s.Handled == n })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// With dedupe one process works and the others stand by, without taking events from the group.
func TestGroupDedupeHasOneOwner(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(20)
	store, tab := memory.Open(), newTally("jumps")
	var runners []*projector.Runner
	var stops []func() error
	for range 2 {
		p := projector.New("p", groupOf(b.dial()), tab).With(projector.WithDedupe(time.Hour))
		r := newRunner(t, store, p, append(fast(), projector.WithLeaseTTL(time.Second))...)
		runners, stops = append(runners, r), append(stops, running(t, r))
		until(t, r, "begun", func(s projector.Status) bool {
			return s.State == projector.StateLive || s.State == projector.StateStandby
		})
	}
	until(t, runners[1], "standing by", func(s projector.Status) bool { return s.State == projector.StateStandby })
	info, err := b.client.GroupInfo(t.Context(), "ponies", "g")
	if err != nil || len(info.Consumers) != 1 {
		t.Errorf("%d consumers, %v", len(info.Consumers), err)
	}
	if err := stops[0](); err != nil {
		t.Fatal(err)
	}
	b.append(10)
	until(t, runners[1], "taken over", func(s projector.Status) bool { return s.State == projector.StateLive && s.Epoch == 2 })
	until(t, runners[1], "done", func(s projector.Status) bool { return s.Position == checkpoint.AtNumber(29) })
	if diff := gocmp.Diff(map[string]int64{"ponies": 30}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
}

// The policy skip counts in the database with dedupe, and commands for parked events are refused by the owner.
func TestGroupDedupeSkipsAndRefuses(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(10)
	store, tab := memory.Open(), newTally("jumps")
	tab.bad = func(e *source.Event) error {
		if e.Number == 4 {
			return errors.New("bad jump")
		}
		return nil
	}
	p := projector.New("p", b.group(), tab).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, append(fast(), then(projector.ActionSkip))...)
	running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == 9 && s.Skipped == 1 })
	if st := stored(t, store); st.Skipped != 1 || st.Handled != 9 {
		t.Errorf("stored %+v", st)
	}
	number, err := store.Send(t.Context(), "p", projector.NewCommand(projector.CommandRetry, projector.Which{}, "me"))
	if err != nil {
		t.Fatal(err)
	}
	var c checkpoint.Command
	for c.Done.IsZero() {
		if c, err = store.Command(t.Context(), number); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if !c.Refused || !strings.Contains(c.Answer, "replay it there") {
		t.Errorf("answered %+v", c)
	}
	if got := slices.Collect(maps.Values(counts(t, store, tab))); len(got) != 1 || got[0] != 9 {
		t.Errorf("rows %v", got)
	}
}
