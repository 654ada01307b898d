package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func paused(s projector.Status) bool { return s.State == projector.StatePaused }

func live(s projector.Status) bool { return s.State == projector.StateLive }

func TestWholeProjectionWaitsBehindAParkedEvent(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, then := range []string{projector.CommandRetry, projector.CommandDrop} {
			t.Run(kind+" "+then, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := &failing{stream: "pony-3"}
					w := newWorld(kind, f)
					fill(w.log, 10, 500)
					p := projector.New("ponies", w.log.All(nil), w.part).With(projector.ParkProjection())
					r := newRunner(t, w.store, p, projector.WithMaxParked(1), projector.WithWorkers(4))
					stop := running(t, r)
					st := until(t, r, "paused", paused)
					if st.Parked != 1 || st.Handled != 3 || !strings.Contains(st.Reason, "everything waits behind event 0@pony-3 (pony.jumped), parked as number 1 after 5 attempts: bad key") {
						t.Errorf("status %+v", st)
					}
					time.Sleep(5 * time.Minute)
					fill(w.log, 10, 20)
					time.Sleep(5 * time.Minute)
					st = r.Status()[0]
					if st.Parked != 1 || st.Handled != 3 || st.State != projector.StatePaused || st.Stalled || st.LagEvents == 0 {
						t.Errorf("ten minutes later: %+v", st)
					}
					if diff := gocmp.Diff(map[string]int64{"pony-0": 1, "pony-1": 1, "pony-2": 1}, w.handled(t, kind)); diff != "" {
						t.Error(diff)
					}
					if c := command(t, w.store, projector.CommandRetry, projector.Which{}); !strings.Contains(c.Answer, "0 handled, 1 still parked: event number 1: bad key") {
						t.Errorf("answer %+v", c)
					}
					if st := until(t, r, "paused again", paused); !strings.Contains(st.Reason, "bad key") {
						t.Errorf("status %+v", st)
					}
					f.off.Store(true)
					want := ofStreams(10, 52, nil)
					if then == projector.CommandDrop {
						if kind != "table" { // the order is checked by number
							w.skipFirst("pony-3")
						}
						want["pony-3"]--
					}
					c := command(t, w.store, then, projector.Which{})
					if c.Refused || !strings.Contains(c.Answer, "0 still parked") {
						t.Errorf("answer %+v", c)
					}
					until(t, r, "live", live)
					if err := stop(); err != nil {
						t.Error(err)
					}
					if diff := gocmp.Diff(want, w.handled(t, kind)); diff != "" {
						t.Error(diff)
					}
					if s := stored(t, w.store); s.Parked != 0 || s.State != "stopped" {
						t.Errorf("stored %+v", s)
					}
				})
			})
		}
	}
}

// What an outage may have caused goes on by itself when it is over.
func TestWholeProjectionGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &failing{stream: "pony-1"}
			w := newWorld("On", f)
			fill(w.log, 2, 20)
			p := projector.New("ponies", w.log.All(nil), w.part).With(projector.ParkProjection())
			r := newRunner(t, w.store, p)
			stop := running(t, r)
			st := until(t, r, "paused", paused)
			if !strings.Contains(st.Reason, "next attempt in") || !strings.Contains(st.Reason, "projector parked drop ponies") {
				t.Errorf("status %+v", st)
			}
			time.Sleep(time.Hour)
			if rows := parked(t, w.store, nil); len(rows) != 1 || int64(rows[0].Attempts) != f.times.Load() || rows[0].Tried.Sub(rows[0].FirstTried) < 50*time.Minute {
				t.Errorf("failed %d times, parked is %+v", f.times.Load(), rows)
			}
			f.off.Store(true)
			if restart {
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				r = newRunner(t, w.store, p)
				running(t, r)
			}
			if st := until(t, r, "live", live); st.Parked != 0 {
				t.Errorf("status %+v", st)
			}
			if diff := gocmp.Diff(ofStreams(2, 10, nil), w.handled(t, "On")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWholeProjectionStopsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-1"}
		w := newWorld("table", f)
		fill(w.log, 2, 20)
		p := projector.New("ponies", w.log.All(nil), w.part).With(projector.ParkProjection())
		for attempts := 5; attempts < 7; attempts++ { // one more for each start
			stopped := asStopped(t, newRunner(t, w.store, p, projector.Once()).Run(t.Context()))
			if !errors.Is(stopped, projector.ErrWaitsBehindParked) || stopped.Event.Number != 0 || stopped.Event.Stream != "pony-1" || stopped.Attempts != attempts ||
				!strings.Contains(stopped.Error(), "number 1: bad key; go on with `projector parked retry ponies`") {
				t.Error(stopped)
			}
		}
		f.off.Store(true)
		if err := newRunner(t, w.store, p, projector.Once()).Run(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := gocmp.Diff(ofStreams(2, 10, nil), w.handled(t, "table")); diff != "" {
			t.Error(diff)
		}
		// Nothing waits behind the last event.
		f.off.Store(false)
		fill(w.log, 2, 2)
		if err := newRunner(t, w.store, p, projector.Once()).Run(t.Context()); err != nil {
			t.Error(err)
		}
		if rows := parked(t, w.store, nil); len(rows) != 1 || rows[0].Key != projector.WholeProjection {
			t.Errorf("parked %+v", rows)
		}
	})
}

// Without OrderBy, an event that both a table and a handler take has no key of its own.
func TestMixedProjectionHasOneOrderingKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("table", &failing{stream: "pony-3"})
		fill(w.log, 5, 25)
		second := &recorder{}
		mixed := func() *projector.Projection {
			return projector.New("ponies", w.log.All(nil), w.part, projector.On("pony.jumped", second.handle))
		}
		r := newRunner(t, w.store, mixed())
		stop := running(t, r)
		if st := until(t, r, "paused", paused); st.Parked != 1 || st.Handled != 3 {
			t.Errorf("status %+v", st)
		}
		if c := command(t, w.store, projector.CommandDrop, projector.Which{}); c.Refused {
			t.Errorf("answer %+v", c)
		}
		until(t, r, "paused at the next", func(s projector.Status) bool { return paused(s) && strings.Contains(s.Reason, "1@pony-3") })
		if err := stop(); err != nil {
			t.Error(err)
		}
		r = newRunner(t, w.store, mixed().With(projector.OrderBy(func(e *source.Event) string { return e.Stream })))
		// What was parked with the whole projection holds it still: the order would not be kept.
		stop = running(t, r)
		if st := until(t, r, "paused still", paused); st.Handled != 0 || st.Parked != 1 {
			t.Errorf("status %+v", st)
		}
		if c := dropAll(t, w.store); c != "1 dropped, 0 still parked" {
			t.Error(c)
		}
		if st := until(t, r, "live", live); st.Parked != 3 || st.ParkedKeys != 1 {
			t.Errorf("status %+v", st)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func dropAll(t *testing.T, s *faultyStore) string {
	t.Helper()
	return command(t, s, projector.CommandDrop, projector.Which{}).Answer
}

// keyless is a table whose ordering key cannot be computed for some events.
type keyless struct {
	*tally
	key func(e *source.Event) (string, error)
}

func (k *keyless) OrderingKey(e *source.Event) (string, error) { return k.key(e) }

func TestUndecodableBodyHasNoKey(t *testing.T) {
	t.Parallel()
	errBody := errors.New("not JSON")
	bad := func(e *source.Event) error {
		if string(e.Data) == "{" {
			return &projector.EventError{Class: projector.ClassDecode, Err: errBody}
		}
		return nil
	}
	table := &keyless{tally: newTally("jumps"), key: func(e *source.Event) (string, error) { return "row of " + e.Stream, bad(e) }}
	table.bad = bad
	tests := []struct {
		name     string
		settings []projector.Setting
		check    func(t *testing.T, st projector.Status, err error)
	}{
		{"stops", nil, func(t *testing.T, st projector.Status, err error) {
			stopped := asStopped(t, err)
			if !errors.Is(err, errBody) || stopped.Class != projector.ClassDecode || st.Handled != 10 || st.Parked != 0 {
				t.Errorf("%v, %+v", err, st)
			}
			for _, part := range []string{"event 0@pony-9 (pony.jumped)", "position 1000/1000", "nor is its ordering key known", "order_by", "park: projection", "decode_errors: skip"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %v", part, err)
				}
			}
		}},
		{"OrderBy", []projector.Setting{projector.OrderBy(func(e *source.Event) string { return e.Stream })}, func(t *testing.T, st projector.Status, err error) {
			if err != nil || st.Handled != 11 || st.Parked != 1 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
		{"ParkProjection", []projector.Setting{projector.ParkProjection()}, func(t *testing.T, st projector.Status, err error) {
			if !errors.Is(err, projector.ErrWaitsBehindParked) || asStopped(t, err).Class != projector.ClassDecode || st.Handled != 10 || st.Parked != 1 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
		{"skip", []projector.Setting{projector.WithDecodeErrors(projector.ActionSkip)}, func(t *testing.T, st projector.Status, err error) {
			if err != nil || st.Handled != 11 || st.Skipped != 1 || st.Parked != 0 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 10)
				log.Append("pony-9", sourcetest.JSON("pony.jumped", "{"))
				fill(log, 1, 1)
				r := newRunner(t, store, projector.New("ponies", log.All(nil), table).With(tc.settings...), projector.Once())
				err := r.Run(t.Context())
				tc.check(t, r.Status()[0], err)
			})
		})
	}
}

// The same while other events are parked, when the key of each event is computed.
func TestKeyThatCannotBeComputedBehindParkedEvents(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]func(e *source.Event) (string, error){
		"error": func(e *source.Event) (string, error) {
			return e.Stream, map[bool]error{true: errBadKey}[e.Stream == "pony-2"]
		},
		"panic": func(e *source.Event) (string, error) {
			if e.Stream == "pony-2" {
				panic(errBadKey)
			}
			return e.Stream, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld("table", &failing{stream: "pony-0"})
			fill(w.log, 4, 40)
			p := projector.New("ponies", w.log.All(nil), w.part).With(projector.OrderBy(key))
			stopped := asStopped(t, newRunner(t, w.store, p, projector.Once()).Run(t.Context()))
			if !errors.Is(stopped, errBadKey) || stopped.Event.Stream != "pony-2" || !strings.Contains(stopped.Error(), "ordering key") {
				t.Errorf("%s: %v", name, stopped)
			}
			p.With(projector.WithDecodeErrors(projector.ActionSkip))
			r := newRunner(t, w.store, p, projector.Once())
			if err := r.Run(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if st := r.Status()[0]; st.Skipped != 10 || stored(t, w.store).Parked != 10 {
				t.Errorf("%s: %+v", name, st)
			}
		})
	}
}

func TestShutdownWhileEverythingWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("On", &failing{stream: "pony-0"})
		fill(w.log, 2, 20)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part).With(projector.ParkProjection()))
		stop := running(t, r)
		until(t, r, "paused", paused)
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestOrderByAndParkProjectionAreOneOrTheOther(t *testing.T) {
	t.Parallel()
	log := sourcetest.New()
	p := projector.New("ponies", log.All(nil), projector.On("pony.jumped", func(context.Context, projector.Event[jumped]) error { return nil })).
		With(projector.ParkProjection(), projector.OrderBy(func(e *source.Event) string { return e.Stream }))
	if _, err := projector.NewRunner(newStore(), []*projector.Projection{p}); !errors.Is(err, projector.ErrInvalidOption) || !strings.Contains(err.Error(), "one or the other") {
		t.Error(err)
	}
}
