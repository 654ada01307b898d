package projector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

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
