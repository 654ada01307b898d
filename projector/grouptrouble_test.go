package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
)

func TestGroupOutcomes(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(5)
	var tries [6]atomic.Int64
	handle := func(_ context.Context, e projector.Event[jumped]) error {
		n := tries[e.Number].Add(1)
		switch e.Number {
		case 1:
			return projector.Skip(errors.New("not wanted"))
		case 2:
			return fmt.Errorf("wrapped: %w", projector.Park(errors.New("for a person")))
		case 3:
			if n < 3 {
				return projector.RetryAfter(time.Millisecond, errors.New("soon"))
			}
		case 4:
			if n < 8 { // more than the attempts of the policy
				return projector.Unavailable(errors.New("down"))
			}
		case 5:
			return projector.Stop(errors.New("enough"))
		}
		return nil
	}
	var states stateLog
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", handle)), append(fast(), projector.WithHooks(&states))...)
	done := make(chan error, 1)
	go func() { done <- r.Run(t.Context()) }()
	until(t, r, "done with the others", func(s projector.Status) bool { return s.Handled == 3 && s.Skipped == 1 && len(b.parked()) == 1 })
	b.append(1)
	stopped := asStopped(t, <-done)
	if stopped.Event == nil || stopped.Event.Number != 5 || !strings.Contains(stopped.Error(), "enough") {
		t.Errorf("stopped for %v", stopped)
	}
	if st := r.Status()[0]; st.State != projector.StateStopped || st.Skipped != 1 || st.Handled != 3 {
		t.Errorf("status %+v", st)
	}
	want := []int64{1, 1, 1, 3, 8}
	for i, n := range want {
		if got := tries[i].Load(); got != n {
			t.Errorf("event %d was tried %d times, want %d", i, got, n)
		}
	}
	if parked := b.parked(); len(parked) != 1 || !strings.Contains(parked[0], "for a person") {
		t.Errorf("parked %v", parked)
	}
	if !states.saw(projector.StatePaused) || !states.saw(projector.StateRetrying) {
		t.Errorf("states %v", states.all())
	}
	rec := &recorder{} // it begins with the event at which it has stopped
	again := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), append(fast(), projector.Once())...)
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"ponies/5"}, rec.keys()); diff != "" {
		t.Error(diff)
	}
}

// stateLog records states.
type stateLog struct {
	mu     sync.Mutex
	states []projector.State
}

func (l *stateLog) OnState(_ string, s projector.State, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, s)
}

func (l *stateLog) all() []projector.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.states)
}

func (l *stateLog) saw(s projector.State) bool { return slices.Contains(l.all(), s) }

// An outage of what a handler needs parks nothing and naks nothing, however many events fail in it.
func TestGroupOutageParksNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"unavailable", "error"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			const n = 40
			b.append(n)
			var naks, failures atomic.Int64
			b.node.Intercept(esnode.PersistentSubscriptionNakEvents, func(esnode.Package) esnode.Fault {
				naks.Add(1)
				return esnode.Fault{}
			})
			var up atomic.Bool
			rec := &recorder{fail: func(string) error {
				if up.Load() {
					return nil
				}
				failures.Add(1)
				if kind == "unavailable" {
					return projector.Unavailable(errors.New("down"))
				}
				return errors.New("down")
			}}
			// The message timeout is so short that the group is left and joined again.
			g := b.group(func(s *esclient.PersistentSettings) { s.MessageTimeout, s.MaxRetries = 100*time.Millisecond, 1_000_000 })
			var states stateLog
			r := newRunner(t, memory.Open(), projector.New("p", g, projector.On("pony.jumped", rec.handle)),
				append(fast(), projector.WithWorkers(4), projector.WithHooks(&states))...)
			running(t, r)
			until(t, r, "paused", func(s projector.Status) bool { return s.State == projector.StatePaused && failures.Load() > 50 })
			up.Store(true)
			until(t, r, "live again", func(s projector.Status) bool { return s.State == projector.StateLive && s.Handled >= n })
			b.settled(n - 1)
			if diff := gocmp.Diff(numbers(n), slices.Compact(sorted(rec.keys()))); diff != "" {
				t.Error(diff)
			}
			if parked := b.parked(); naks.Load() != 0 || len(parked) != 0 {
				t.Errorf("%d naks, parked %v", naks.Load(), parked)
			}
		})
	}
}

// A few bad events in a row are not an outage for ever: as soon as another one is handled, they are parked.
func TestGroupSeveralBadEventsAreParked(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(8)
	rec := &recorder{fail: func(key string) error {
		if key < "ponies/6" {
			return errors.New("bad")
		}
		return nil
	}}
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), fast()...)
	running(t, r)
	b.waitParked(6)
	b.settled(7)
	if parked := b.parked(); len(parked) != 6 {
		t.Errorf("parked %v", parked)
	}
	if diff := gocmp.Diff([]string{"ponies/6", "ponies/7"}, sorted(rec.keys())); diff != "" {
		t.Error(diff)
	}
}

// A lonely event that fails is tried on, until another one shows that it is not an outage, or nothing else will come.
func TestGroupLonelyFailure(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(1)
	var calls atomic.Int64
	rec := &recorder{fail: func(key string) error {
		if key == "ponies/0" {
			calls.Add(1)
			return errors.New("bad")
		}
		return nil
	}}
	p := projector.New("p", b.group(), projector.On("pony.jumped", rec.handle))
	r := newRunner(t, memory.Open(), p, fast()...)
	stop := running(t, r)
	until(t, r, "tried on", func(s projector.Status) bool { return s.State == projector.StateRetrying && calls.Load() > 8 })
	if parked := b.parked(); len(parked) != 0 {
		t.Errorf("parked %v", parked)
	}
	b.append(1)
	until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive && s.Handled == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.waitParked(1)
	rec.fail = func(string) error { return errors.New("bad") }
	b.append(1)
	if err := newRunner(t, memory.Open(), p, append(fast(), projector.Once())...).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.waitParked(2)
}

func TestGroupUnhandledTypes(t *testing.T) {
	t.Parallel()
	for _, u := range []projector.Unhandled{projector.UnhandledIgnore, projector.UnhandledWarn, projector.UnhandledPark, projector.UnhandledStop} {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			b.appendType("other", "x")
			var said strings.Builder
			p := projector.New("p", b.group(), projector.On("pony.jumped", (&recorder{}).handle))
			r := newRunner(t, memory.Open(), p, append(fast(), projector.Once(), projector.WithUnhandled(u), projector.WithLogger(slog.New(slog.NewTextHandler(&said, nil))))...)
			err := r.Run(t.Context())
			if stopped := errors.Is(err, projector.ErrUnhandledType); stopped != (u == projector.UnhandledStop) {
				t.Errorf("got %v", err)
			}
			if u == projector.UnhandledPark {
				b.waitParked(1)
			} else if all := b.parked(); len(all) != 0 {
				t.Errorf("parked %v", all)
			}
			if warned := strings.Contains(said.String(), "event passed over"); warned != (u == projector.UnhandledWarn) {
				t.Errorf("said %s", said.String())
			}
			if st := r.Status()[0]; u <= projector.UnhandledWarn && (st.Ignored != 1 || st.Handled != 0) {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// Events that wait longer than the message timeout are delivered again, and handled once here all the same.
func TestGroupSlowHandlers(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(8)
	var again atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionStreamEventAppeared, func(esnode.Package) esnode.Fault {
		again.Add(1)
		return esnode.Fault{}
	})
	rec := &recorder{}
	first := make(chan struct{})
	handle := func(ctx context.Context, e projector.Event[jumped]) error {
		if e.Number == 0 {
			<-first
		}
		return rec.handle(ctx, e)
	}
	g := b.group(func(s *esclient.PersistentSettings) { s.MessageTimeout, s.MaxRetries = 50*time.Millisecond, 100 })
	r := newRunner(t, memory.Open(), projector.New("p", g, projector.On("pony.jumped", handle)), fast()...)
	running(t, r)
	until(t, r, "delivered again", func(projector.Status) bool { return again.Load() > 12 })
	close(first)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == 8 })
	b.settled(7)
	if diff := gocmp.Diff(numbers(8), rec.keys()); diff != "" {
		t.Error(diff)
	}
}
