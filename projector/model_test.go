package projector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// chaos is a world in which everything fails at random until it is calmed. All of it is decided by one seed.
type chaos struct {
	mu   sync.Mutex
	rng  *rand.Rand
	calm bool
	bad  map[string]bool // events that fail until all is calm
	poor map[string]int  // events that fail so many times more
}

func newChaos(seed uint64, streams, events int) *chaos {
	c := &chaos{rng: rand.New(rand.NewPCG(seed, 17)), bad: map[string]bool{}, poor: map[string]int{}}
	for i := range events {
		key := fmt.Sprintf("pony-%d/%d", i%streams, i/streams)
		switch c.rng.IntN(60) {
		case 0:
			c.bad[key] = true
		case 1:
			c.poor[key] = 1 + c.rng.IntN(4)
		}
	}
	return c
}

func (c *chaos) chance(percent int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.calm && c.rng.IntN(100) < percent
}

func (c *chaos) int(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// handle fails what is to fail.
func (c *chaos) handle(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.calm:
		return nil
	case c.bad[key]:
		return errBadKey
	case c.poor[key] > 0:
		c.poor[key]--
		return errors.New("not yet")
	}
	return nil
}

// TestSoakChaos runs a projection of all three kinds under random faults of handlers, database and log, with processes that end
// and are killed, and commands at random times. In the end every event must have counted once, in order.
func TestSoakChaos(t *testing.T) {
	t.Parallel()
	seeds := uint64(40)
	switch {
	case testing.Short():
		seeds = 5
	case os.Getenv("PROJECTOR_SOAK") != "":
		seeds = 2000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runChaos(t, seed) })
		})
	}
}

func runChaos(t *testing.T, seed uint64) {
	const streams, events = 6, 360
	c := newChaos(seed, streams, events)
	log, shared, tab, rec := sourcetest.New(), newStore(), newTally("jumps"), &recorder{}
	fill(log, streams, events)
	rec.fail = c.handle
	tab.bad = func(e *source.Event) error { return c.handle(fmt.Sprintf("%s/%d", e.Stream, e.Number)) }
	log.Intercept(func(sourcetest.Op) error {
		if c.chance(5) {
			return errCut
		}
		return nil
	})
	src := log.All(nil)
	src.PageSize = 1 + c.int(40)
	workers, batch := 1+3*c.int(2), 1+c.int(60)
	shards := 1 + int(seed%2)*3
	parts := []projector.Part{
		projector.On("pony.jumped", rec.handle),
		projector.OnTx("pony.jumped", func(ctx context.Context, tx *notes, e projector.Event[jumped]) error {
			if err := c.handle(fmt.Sprintf("%s/%d", e.Stream, e.Number)); err != nil {
				return err
			}
			return note(ctx, tx, e)
		}),
		tab,
	}
	make := func(store checkpoint.Store, opts ...projector.Option) *projector.Runner {
		return newRunner(t, store, projector.New("ponies", src, parts...).With(
			projector.OrderBy(func(e *source.Event) string { return e.Stream }),
			projector.WithWorkers(workers), projector.WithBatchSize(batch), projector.Shards(shards)),
			append(opts, projector.WithRetryDelays(10*time.Millisecond, time.Second), projector.WithLeaseTTL(time.Second))...)
	}
	kills := 0
	for life := range 12 {
		process := &faultyStore{Store: shared.Store}
		ctx, cancel := context.WithCancel(t.Context())
		dead := false
		fault := func(op string) error {
			switch {
			case dead || c.chance(4):
				return errCut
			case c.chance(1) && life%2 == 0:
				dead = true // it was killed: nothing of it reaches the database any more
				kills++
				cancel()
				return errCut
			}
			return nil
		}
		process.set(locked(process, fault), locked(process, fault))
		r := make(process)
		done := runAside(ctx, r)
		for range c.int(4) {
			time.Sleep(time.Duration(c.int(3000)) * time.Millisecond)
			_, _ = projector.Send(t.Context(), shared, "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "chaos"))
		}
		time.Sleep(time.Duration(c.int(2000)) * time.Millisecond)
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		shared.lines = append(shared.lines, process.lines...)
	}
	c.mu.Lock()
	c.calm = true
	c.mu.Unlock()
	parkedBefore := len(parked(t, shared, nil))
	if err := make(shared, projector.Once()).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := make(shared).Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "end")); err != nil {
		t.Fatal(err)
	}
	want := ofStreams(streams, events/streams, nil)
	if diff := gocmp.Diff(want, perStream(t, shared.lines)); diff != "" {
		t.Errorf("OnTx: %s", diff)
	}
	if diff := gocmp.Diff(want, counts(t, shared, tab)); diff != "" {
		t.Errorf("table: %s", diff)
	}
	next := map[string]int64{}
	for _, key := range rec.keys() {
		var n int64
		stream, number, _ := strings.Cut(key, "/")
		_, _ = fmt.Sscan(number, &n)
		if n > next[stream] {
			t.Fatalf("On: %s came when %d was next", key, next[stream])
		}
		next[stream] = max(next[stream], n+1)
	}
	if diff := gocmp.Diff(want, next); diff != "" {
		t.Errorf("On: %s", diff)
	}
	st := stored(t, shared)
	t.Logf("%d shards, %d workers, batches of %d, %d kills, %d bad events, %d parked before the end, %d leases, %d calls of On",
		shards, workers, batch, kills, len(c.bad), parkedBefore, st.Epoch, len(rec.keys()))
	if st.Handled != events || st.Parked != 0 || st.Skipped != 0 || st.Ignored != 0 {
		t.Errorf("stored %+v", st)
	}
}

// locked has fault called with the mutex of the process held.
func locked(s *faultyStore, fault func(op string) error) func(op string) error {
	return func(op string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fault(op)
	}
}

// runAside runs a runner in the background.
func runAside(ctx context.Context, r *projector.Runner) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with ctx
	return done
}
