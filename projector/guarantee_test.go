package projector_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

var errCut = errors.New("connection cut")

// keysOf are the keys of the events fill made in a single stream.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("pony-0/%d", i)
	}
	return keys
}

func note(_ context.Context, tx *notes, e projector.Event[jumped]) error {
	tx.lines = append(tx.lines, fmt.Sprintf("%s/%d", e.Stream, e.Number))
	return nil
}

// Every commit may fail, and half of those that fail were done all the same.
func TestAmbiguousCommitsCountOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"table", "OnTx", "both"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
				rng := rand.New(rand.NewPCG(1, 2))
				var cuts atomic.Int64
				fault := func(op string) error {
					if op == "commit" && rng.IntN(3) == 0 {
						cuts.Add(1)
						return errCut
					}
					return nil
				}
				store.set(fault, fault)
				fill(log, 1, 500)
				var parts []projector.Part
				if kind != "OnTx" {
					parts = append(parts, tab)
				}
				if kind != "table" {
					parts = append(parts, projector.OnTx("pony.jumped", note))
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), parts...), projector.Once(), projector.WithBatchSize(7))
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if cuts.Load() < 10 {
					t.Fatalf("only %d cuts", cuts.Load())
				}
				if kind != "OnTx" {
					if got := counts(t, store, tab)["pony-0"]; got != 500 {
						t.Errorf("row says %d", got)
					}
				}
				if kind != "table" {
					if diff := gocmp.Diff(keysOf(500), store.lines); diff != "" {
						t.Error(diff)
					}
				}
				if st := r.Status()[0]; st.Handled != 500 {
					t.Errorf("handled %d", st.Handled)
				}
				if st := stored(t, store); st.Handled != 500 {
					t.Errorf("stored handled %d", st.Handled)
				}
			})
		})
	}
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

// inOrderAtLeastOnce checks that every event came, and that after a repeat all that follow were repeated too.
func inOrderAtLeastOnce(t *testing.T, keys []string, n int) {
	t.Helper()
	next := 0
	for _, key := range keys {
		var i int
		if _, err := fmt.Sscanf(key, "pony-0/%d", &i); err != nil {
			t.Fatal(err)
		}
		if i > next {
			t.Fatalf("event %d came when %d was next", i, next)
		}
		next = i + 1
	}
	if next != n {
		t.Fatalf("the last event was %d of %d", next-1, n)
	}
}

// A killed process does nothing more: no commit, no release. The next one goes on when the lease has run out.
func TestKilledProcessesLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, tab, rec := sourcetest.New(), newTally("jumps"), &recorder{}
		fill(log, 1, 3000)
		shared := newStore()
		rng := rand.New(rand.NewPCG(3, 4))
		const batch = 5
		kills := 0
		for {
			process := &faultyStore{Store: shared.Store}
			ctx, cancel := context.WithCancel(t.Context())
			left := rng.IntN(60)
			kill := func(string) error { // process.mu is not held
				process.mu.Lock()
				defer process.mu.Unlock()
				if left--; left < 0 {
					cancel()
					return errCut
				}
				return nil
			}
			process.set(kill, kill)
			r := newRunner(t, process, projector.New("ponies", log.Stream("pony-0"), tab,
				projector.On("pony.jumped", rec.handle), projector.OnTx("pony.jumped", note)).
				With(projector.OrderBy(func(e *source.Event) string { return e.Stream })),
				projector.Once(), projector.WithBatchSize(batch), projector.WithOwner(fmt.Sprint(kills)))
			err := r.Run(ctx)
			cancel()
			shared.lines = append(shared.lines, process.lines...)
			if left >= 0 {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			kills++
		}
		t.Logf("%d kills, %d calls for 3000 events", kills, len(rec.keys()))
		if kills < 20 {
			t.Errorf("only %d kills", kills)
		}
		if got := counts(t, shared, tab)["pony-0"]; got != 3000 {
			t.Errorf("row says %d", got)
		}
		if diff := gocmp.Diff(keysOf(3000), shared.lines); diff != "" {
			t.Errorf("OnTx: %s", diff)
		}
		inOrderAtLeastOnce(t, rec.keys(), 3000)
		if repeats := len(rec.keys()) - 3000; repeats > 2*batch*kills {
			t.Errorf("%d repeats by %d kills with batches of %d", repeats, kills, batch)
		}
		if got := stored(t, shared); got.Handled != 3000 || got.Parked != 0 {
			t.Errorf("stored %+v", got)
		}
	})
}

func TestStandbyTakesOverWithinTheTTL(t *testing.T) {
	t.Parallel()
	const ttl = 10 * time.Second
	tests := []struct {
		name   string
		within time.Duration
		end    func(owner *faultyStore, stop func() error)
	}{
		{"released", time.Second + ttl/20, func(_ *faultyStore, stop func() error) { _ = stop() }},
		{"dead", ttl + time.Second, func(owner *faultyStore, _ func() error) {
			owner.set(func(string) error { return errCut }, nil)
		}},
		{"paused", ttl + time.Second, func(owner *faultyStore, _ func() error) {
			owner.set(func(string) error { time.Sleep(5 * ttl); return nil }, nil)
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, tab := sourcetest.New(), newTally("jumps")
				fill(log, 1, 10)
				first := newStore()
				second := &faultyStore{Store: first.Store}
				make := func(s checkpoint.Store, owner string) (*projector.Runner, func() error) {
					r := newRunner(t, s, projector.New("ponies", log.Stream("pony-0"), tab), projector.WithOwner(owner), projector.WithLeaseTTL(ttl))
					return r, running(t, r)
				}
				_, stop := make(first, "one")
				synctest.Wait()
				standby, _ := make(second, "two")
				time.Sleep(5 * ttl)
				if st := standby.Status()[0]; st.State != projector.StateStandby || !strings.Contains(st.Reason, "one") || st.Epoch != 0 || st.LagEvents != -1 {
					t.Fatalf("standby: %+v", st)
				}
				if got := stored(t, second); got.Epoch != 1 {
					t.Fatalf("the lease changed hands while its owner was idle: %+v", got)
				}
				began := time.Now()
				tc.end(first, stop)
				fill(log, 1, 10)
				until(t, standby, "live", func(s projector.Status) bool { return s.State == projector.StateLive && s.Handled > 0 })
				if took := time.Since(began); took > tc.within {
					t.Errorf("took %v", took)
				}
				time.Sleep(20 * ttl) // let the first wake
				if got := counts(t, second, tab)["pony-0"]; got != 20 {
					t.Errorf("row says %d", got)
				}
			})
		})
	}
}

// Two owners believe in their lease; only the one that has it can commit.
func TestManyRunnersOneProjection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, tab := sourcetest.New(), newTally("jumps")
		shared := newStore()
		src := log.Stream("pony-0")
		src.PageSize = 10
		fill(log, 1, 2000)
		var stops []func() error
		var stores []*faultyStore
		for i := range 4 {
			s := &faultyStore{Store: shared.Store}
			rng := rand.New(rand.NewPCG(uint64(i), 9))
			s.set(func(op string) error { // now and then a process is paused for longer than its lease
				s.mu.Lock()
				long := rng.IntN(20) == 0
				s.mu.Unlock()
				if long {
					time.Sleep(3 * time.Second)
				}
				return nil
			}, nil)
			r := newRunner(t, s, projector.New("ponies", src, tab, projector.OnTx("pony.jumped", note)),
				projector.WithOwner(fmt.Sprint(i)), projector.WithLeaseTTL(time.Second), projector.WithBatchSize(10), projector.Once())
			stops, stores = append(stops, running(t, r)), append(stores, s)
		}
		time.Sleep(time.Hour)
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		var lines []string
		for _, s := range stores {
			lines = append(lines, s.lines...)
		}
		slices.SortFunc(lines, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
		if diff := gocmp.Diff(keysOf(2000), lines); diff != "" {
			t.Error(diff)
		}
		st := stored(t, shared)
		if got := counts(t, shared, tab)["pony-0"]; got != 2000 || st.Handled != 2000 || st.Epoch < 3 {
			t.Errorf("row says %d, stored %+v", got, st)
		}
	})
}

func TestOnTxMustFitTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.New()
		fill(log, 1, 1)
		wrong := func(context.Context, *strings.Builder, projector.Event[jumped]) error { return nil }
		r := newRunner(t, newStore(), projector.New("ponies", log.Stream("pony-0"), projector.OnTx("pony.jumped", wrong)))
		stopped := asStopped(t, r.Run(t.Context()))
		if stopped.Class != projector.ClassConfiguration || !strings.Contains(stopped.Error(), `"pony.jumped" wants a transaction of type *strings.Builder, the store gives *projector_test.notes`) {
			t.Errorf("%v: %v", stopped.Class, stopped)
		}
	})
}

func TestIdentityOfTheLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(log *sourcetest.Log)
		want   string // in the reason; empty = runs on
	}{
		{"another log", func(l *sourcetest.Log) { l.Wipe(); fill(l, 1, 12) }, "at position 9 there is event"},
		{"shorter log", func(l *sourcetest.Log) { l.Wipe(); fill(l, 1, 3) }, "the log ends earlier"},
		{"empty log", func(l *sourcetest.Log) { l.Wipe() }, "the log ends earlier"},
		{"truncated behind the position", func(l *sourcetest.Log) { fill(l, 1, 2); l.Truncate("pony-0", 5) }, ""},
		{"truncated ahead of the position", func(l *sourcetest.Log) { fill(l, 1, 5); l.Truncate("pony-0", 12) }, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
				fill(log, 1, 10)
				run := func() error {
					return newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab), projector.Once()).Run(t.Context())
				}
				if err := run(); err != nil {
					t.Fatal(err)
				}
				before := stored(t, store)
				tc.change(log)
				err := run()
				if tc.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, projector.ErrOtherLog) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v", err)
				}
				if got := counts(t, store, tab)["pony-0"]; got != 10 {
					t.Errorf("row says %d", got)
				}
				if after := stored(t, store); after.Position != before.Position || after.LastEvent != before.LastEvent {
					t.Errorf("overwritten: %+v", after)
				}
			})
		})
	}
}

func TestChangedDefinitionRefusesToGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		fill(log, 1, 10)
		run := func() error {
			return newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab), projector.Once()).Run(t.Context())
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		tab.print = "v2"
		if err := run(); !errors.Is(err, checkpoint.ErrDefinitionChanged) {
			t.Errorf("got %v", err)
		}
		tab.table = newTally("jumps").table
		tab.table.Columns[1].Type.Base = checkpoint.Float
		if err := run(); !errors.Is(err, checkpoint.ErrDefinitionChanged) || !errors.Is(err, checkpoint.ErrDrift) {
			t.Errorf("got %v", err)
		}
	})
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler time.Duration
		bound   time.Duration
		abandon bool
	}{
		{"finishes what is in hand", 5 * time.Second, 20 * time.Second, false},
		{"abandons it at the bound", 50 * time.Second, 20 * time.Second, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 100)
				entered := make(chan struct{}, 100)
				slow := func(ctx context.Context, _ projector.Event[jumped]) error {
					entered <- struct{}{}
					select {
					case <-time.After(tc.handler):
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", slow)),
					projector.WithShutdownBound(tc.bound), projector.WithHandlerTimeout(time.Hour))
				stop := running(t, r)
				<-entered
				<-entered
				<-entered
				began := time.Now()
				err := stop()
				took := time.Since(began)
				got := stored(t, store)
				if got.Held {
					t.Error("the lease is still held")
				}
				if tc.abandon {
					if !errors.Is(err, projector.ErrShutdownBound) || took != tc.bound || got.Handled != 2 {
						t.Errorf("%v after %v, %+v", err, took, got)
					}
				} else if err != nil || took != tc.handler || got.Handled != 3 {
					t.Errorf("%v after %v, %+v", err, took, got)
				}
			})
		})
	}
}

func TestShutdownDuringRetryAndOutage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"retry", "outage", "standby", "no event log"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, rec := sourcetest.New(), newStore(), &recorder{}
				fill(log, 1, 5)
				switch name {
				case "retry":
					rec.fail = func(string) error { return projector.Unavailable(errCut) }
				case "outage":
					store.set(func(op string) error { return errCut }, nil)
				case "standby":
					lease, err := store.Store.Acquire(t.Context(), checkpoint.Claim{Name: "ponies", Owner: "other", TTL: time.Hour})
					if err != nil {
						t.Fatal(err)
					}
					defer lease.Release(t.Context()) //nolint:errcheck // memory
				case "no event log":
					log.Intercept(func(sourcetest.Op) error { return errCut })
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)))
				stop := running(t, r)
				time.Sleep(time.Minute + 7*time.Millisecond)
				began := time.Now()
				if err := stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
