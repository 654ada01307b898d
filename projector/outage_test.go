package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestOutageOfTheTargetParksNothing(t *testing.T) {
	t.Parallel()
	for _, pace := range []string{"catching up", "trickling"} {
		t.Run(pace, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				var down atomic.Bool
				rec := &recorder{fail: func(string) error {
					if down.Load() {
						return errors.New("503 service unavailable")
					}
					return nil
				}}
				r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)))
				fill(log, 20, 20)
				stop := running(t, r)
				synctest.Wait()
				down.Store(true)
				if pace == "trickling" {
					for i := range 20 {
						time.Sleep(5 * time.Minute)
						log.Append(fmt.Sprintf("pony-%d", i), sourcetest.JSON("pony.jumped", "{}"))
					}
				} else {
					fill(log, 20, 20)
				}
				time.Sleep(time.Hour)
				st := r.Status()[0]
				if st.State != projector.StatePaused || !strings.Contains(st.Reason, "different keys failed in a row") || !strings.Contains(st.Reason, "503") {
					t.Errorf("status %+v", st)
				}
				if n := len(parked(t, store, nil)); n != 0 || st.Handled != 20 {
					t.Errorf("%d parked, %d handled", n, st.Handled)
				}
				down.Store(false)
				time.Sleep(time.Minute)
				if st := r.Status()[0]; st.Handled != 40 || st.State != projector.StateLive || st.Parked != 0 {
					t.Errorf("after the outage: %+v", st)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
				if n := len(rec.keys()); n != 40 {
					t.Errorf("%d calls took effect, want 40", n)
				}
			})
		})
	}
}

// A single bad key with nothing else to show that it is its own fault is tried on, until something else succeeds.
func TestLonelyFailureWaitsForProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-0"}
		w := newWorld("On", f)
		fill(w.log, 1, 2)
		log := &logBook{}
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		running(t, r)
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StateRetrying || st.Parked != 0 || !strings.Contains(st.Reason, "no other event has shown") {
			t.Errorf("status %+v", st)
		}
		if log.count("event held back") == 0 || log.count("event_type=pony.jumped") != log.count("event_type=") || log.count("event parked") != 0 {
			t.Errorf("held back %d times, parked %d times, says the log", log.count("event held back"), log.count("event parked"))
		}
		w.log.Append("pony-1", sourcetest.JSON("pony.jumped", "{}"))
		st := until(t, r, "parked", func(s projector.Status) bool { return s.Parked == 2 })
		if st.Handled != 1 {
			t.Errorf("status %+v", st)
		}
		if n := log.count("event parked"); n != 1 { // the second waits behind the first
			t.Errorf("parked %d times, says the log", n)
		}
		head := parked(t, w.store, nil)[0]
		if int64(head.Attempts) != f.times.Load() || head.Attempts < 100 || head.Tried.Sub(head.FirstTried) < 50*time.Minute {
			t.Errorf("failed %d times in an hour, parked is %+v", f.times.Load(), head)
		}
	})
}

func TestManyBadKeysAmongGoodOnesAreParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		// Six bad keys in a row, more than the breaker allows, and then good ones.
		rec := &recorder{fail: func(key string) error {
			if key < "pony-6" {
				return errBadKey
			}
			return nil
		}}
		fill(log, 10, 40)
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)), projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.Status()[0]; st.Parked != 24 || st.Handled != 16 {
			t.Errorf("status %+v", st)
		}
	})
}

// Folding does no I/O, so that a table needs no other event to show whose fault it is.
func TestLonelyFoldErrorIsParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("table", &failing{stream: "pony-0"})
		fill(w.log, 1, 2)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		running(t, r)
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StateLive || st.Parked != 2 {
			t.Errorf("status %+v", st)
		}
	})
}

// The database, the way to it, and the event log fail at random.
func TestOutagesAreWaitedFor(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, tab, rec := sourcetest.New(), newStore(), newTally("jumps"), &recorder{}
				fill(log, 1, 1000)
				rng := rand.New(rand.NewPCG(seed, 0))
				faults := map[string]int{}
				fault := func(op string) error {
					if rng.IntN(5) == 0 {
						faults[op]++
						return errCut
					}
					return nil
				}
				locked := func(op string) error { store.mu.Lock(); defer store.mu.Unlock(); return fault(op) }
				store.set(locked, locked)
				log.Intercept(func(op sourcetest.Op) error { return locked(string(op)) })
				src := log.Stream("pony-0")
				src.PageSize = 40
				r := newRunner(t, store, projector.New("ponies", src, tab, projector.On("pony.jumped", rec.handle)),
					projector.Once(), projector.WithBatchSize(30))
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := counts(t, store, tab)["pony-0"]; got != 1000 {
					t.Errorf("row says %d", got)
				}
				if got := stored(t, store); got.Handled != 1000 || r.Status()[0].Handled != 1000 {
					t.Errorf("handled %d as stored, %d as counted here", got.Handled, r.Status()[0].Handled)
				}
				inOrderAtLeastOnce(t, rec.keys(), 1000)
				for _, op := range []string{"commit", "acquire", "next"} {
					if faults[op] == 0 {
						t.Errorf("%s never failed: %v", op, faults)
					}
				}
			})
		})
	}
}

// A target may be back at any moment, also in the middle of a round of attempts: what has failed in that round is not parked.
func TestTargetIsBackAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"On", "OnTx", "On, 3 workers"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for down := 100 * time.Millisecond; down < 90*time.Second; down += down/7 + 130*time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					log, store := sourcetest.New(), newStore()
					fill(log, 12, 36)
					back := time.Now().Add(down)
					var calls atomic.Int64
					slow := func(ctx context.Context) error {
						calls.Add(1)
						time.Sleep(170 * time.Millisecond)
						if time.Now().Before(back) {
							return errors.New("503 service unavailable")
						}
						return nil
					}
					var part projector.Part = projector.On("pony.jumped", func(ctx context.Context, _ projector.Event[jumped]) error { return slow(ctx) })
					if kind == "OnTx" {
						part = projector.OnTx("pony.jumped", func(ctx context.Context, tx *notes, e projector.Event[jumped]) error {
							if err := slow(ctx); err != nil {
								return err
							}
							return note(ctx, tx, e)
						})
					}
					workers := 1
					if kind == "On, 3 workers" {
						workers = 3
					}
					r := newRunner(t, store, projector.New("ponies", log.All(nil), part), projector.WithWorkers(workers))
					running(t, r)
					st := until(t, r, "done", func(s projector.Status) bool { return s.Handled+s.Parked == 36 })
					if st.Parked != 0 || st.Skipped != 0 || st.State != projector.StateLive {
						t.Errorf("down for %v: %+v", down, st)
					}
					if kind == "OnTx" {
						if diff := gocmp.Diff(36, len(store.committed())); diff != "" {
							t.Errorf("down for %v: %s", down, diff)
						}
					}
				})
			}
		})
	}
}

// An event that is held back for longer than events are gathered does not keep the next one from being handled.
func TestSlowFailureDoesNotHoldUpTheProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 3, 30)
		src := log.All(nil)
		src.PageSize = 10 // so that it is not live yet
		r := newRunner(t, store, projector.New("ponies", src, projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			if e.Stream == "pony-0" {
				time.Sleep(2 * time.Second)
				return errBadKey
			}
			return nil
		})))
		running(t, r)
		if st := until(t, r, "live", live); st.Handled != 20 || st.Parked != 10 {
			t.Errorf("status %+v", st)
		}
	})
}

// A key that fails holds up the others for as long as the policy tries it, and no longer.
func TestOthersWaitForTheRetryBudgetOnly(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(kind, &failing{stream: "pony-3"})
			fill(w.log, 1000, 3000)
			r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.Once())
			began := time.Now()
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			budget := time.Duration(1.5 * float64(200+300+450+675) * float64(time.Millisecond)) // the delays, with their jitter
			if took := time.Since(began); took > budget {
				t.Errorf("%s: took %v, the attempts at one event may take %v", kind, took, budget)
			}
			if st := r.Status()[0]; st.Handled != 2997 || st.Parked != 3 {
				t.Errorf("%s: status %+v", kind, st)
			}
		})
	}
}
