package projector_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

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
