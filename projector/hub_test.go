package projector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// pages counts how many batches the log has delivered, or was asked for.
func pages(log *sourcetest.Log) *atomic.Int64 {
	var n atomic.Int64
	log.Intercept(func(op sourcetest.Op) error {
		if op == sourcetest.OpNext {
			n.Add(1)
		}
		return nil
	})
	return &n
}

// many makes projections that read the same stream, each with a recorder, the last one with more parts.
func many(log *sourcetest.Log, n int, handle func(i int, e projector.Event[jumped]), more ...projector.Part) ([]*projector.Projection, []*recorder) {
	ps, recs := make([]*projector.Projection, n), make([]*recorder, n)
	for i := range n {
		rec := &recorder{}
		src := log.Stream("pony-0")
		src.PageSize = 50
		recs[i] = rec
		parts := []projector.Part{projector.On("pony.jumped", func(ctx context.Context, e projector.Event[jumped]) error {
			if handle != nil {
				handle(i, e)
			}
			return rec.handle(ctx, e)
		})}
		if i == n-1 {
			parts = append(parts, more...)
		}
		ps[i] = projector.New(fmt.Sprintf("p%d", i), src, parts...)
	}
	return ps, recs
}

func TestTenProjectionsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 1000)
		read := pages(log)
		ps, recs := many(log, 10, nil)
		r, err := projector.NewRunner(store, ps)
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, r)
		time.Sleep(10 * time.Second)
		if n := read.Load(); n > 20+2 {
			t.Errorf("%d batches were read for 20 pages", n)
		}
		before := read.Load()
		for range 20 { // live
			fill(log, 1, 1)
			time.Sleep(time.Second)
		}
		if n := read.Load() - before; n > 20+5 {
			t.Errorf("%d batches were read for 20 live events", n)
		}
		if n := log.Open(); n != 1 {
			t.Errorf("%d subscriptions are open", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for i, rec := range recs {
			inOrderAtLeastOnce(t, rec.keys(), 1020)
			if len(rec.keys()) != 1020 || r.Status()[i].Handled != 1020 {
				t.Errorf("projection %d: %d calls, %+v", i, len(rec.keys()), r.Status()[i])
			}
		}
		if log.Open() != 0 {
			t.Errorf("%d subscriptions left open", log.Open())
		}
	})
}

// late has a projection begin after the others.
type late struct {
	nothing
	by time.Duration
}

func (l late) NewFold(string, checkpoint.Lease) projector.Fold {
	time.Sleep(l.by)
	return l
}

func TestProjectionsWaitForThoseThatBeginWithThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 5000)
		read := pages(log)
		ps, recs := many(log, 3, nil, late{by: 150 * time.Millisecond})
		r, err := projector.NewRunner(store, ps, projector.Once())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := read.Load(); n > 100+2 {
			t.Errorf("%d batches were read for 100 pages", n)
		}
		for _, rec := range recs {
			inOrderAtLeastOnce(t, rec.keys(), 5000)
		}
	})
}

func TestProjectionFollowsInTheMiddleOfAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 3000)
		ps, recs := many(log, 2, func(i int, _ projector.Event[jumped]) {
			if i == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}, late{by: time.Millisecond})
		ps[0].With(projector.StartAt(checkpoint.AtNumber(1019)))
		r, err := projector.NewRunner(store, ps)
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, r)
		time.Sleep(50 * time.Millisecond)
		if st := r.Status()[0]; st.State != projector.StateCatchingUp || log.Open() != 1 {
			t.Errorf("%d subscriptions are open while the first is %s", log.Open(), st.State)
		}
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if n := len(recs[0].keys()); n != 1980 {
			t.Errorf("%d calls for 1980 events", n)
		}
		if n := len(recs[1].keys()); n != 3000 {
			t.Errorf("%d calls for 3000 events", n)
		}
		inOrderAtLeastOnce(t, recs[1].keys(), 3000)
	})
}

func TestSlowProjectionFallsOutAndCatchesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 3000)
		ps, recs := many(log, 3, func(i int, _ projector.Event[jumped]) {
			if i == 1 {
				time.Sleep(10 * time.Millisecond)
			}
		})
		r, err := projector.NewRunner(store, ps)
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, r)
		time.Sleep(5 * time.Second)
		if st := r.Status(); st[0].Handled != 3000 || st[2].Handled != 3000 || st[1].Handled > 600 {
			t.Errorf("%d, %d, %d", st[0].Handled, st[1].Handled, st[2].Handled)
		}
		time.Sleep(time.Minute)
		fill(log, 1, 10)
		time.Sleep(time.Second)
		if n := log.Open(); n != 1 {
			t.Errorf("%d subscriptions are open, want that the slow one follows again", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for _, rec := range recs {
			inOrderAtLeastOnce(t, rec.keys(), 3010)
		}
	})
}

// Batches that were read before a projection asked for the end must not make it believe that it is there.
func TestOnceIsCompleteWhenShared(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			log, store := sourcetest.New(), newStore()
			rng := rand.New(rand.NewPCG(seed, 1))
			fill(log, 1, 100)
			ps, recs := many(log, 5, nil)
			r, err := projector.NewRunner(store, ps, projector.Once())
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			log.Intercept(func(op sourcetest.Op) error {
				mu.Lock()
				pause := time.Duration(rng.IntN(30)) * time.Millisecond
				mu.Unlock()
				time.Sleep(pause)
				if op == sourcetest.OpHead {
					fill(log, 1, 10)
				}
				return nil
			})
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, rec := range recs {
				st := r.Status()[i]
				order, ok := st.Position.Compare(st.Head)
				if n := len(rec.keys()); n < 110 || !ok || order < 0 && n < 110 {
					t.Errorf("projection %d: %d calls, %+v", i, n, st)
				}
				inOrderAtLeastOnce(t, rec.keys(), len(rec.keys()))
			}
		})
	}
}

func TestSharedReadingUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 1000)
				rng := rand.New(rand.NewPCG(seed, 2))
				fault := locked(store, func(string) error {
					if rng.IntN(20) == 0 {
						return errCut
					}
					return nil
				})
				store.set(fault, fault)
				log.Intercept(func(op sourcetest.Op) error { return fault(string(op)) })
				ps, recs := many(log, 4, func(i int, _ projector.Event[jumped]) { time.Sleep(time.Duration(i) * time.Millisecond) })
				r, err := projector.NewRunner(store, ps, projector.Once(), projector.WithBatchSize(80))
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				for i, rec := range recs {
					inOrderAtLeastOnce(t, rec.keys(), 1000)
					if st := r.Status()[i]; st.Handled != 1000 {
						t.Errorf("%+v", st)
					}
				}
				if log.Open() != 0 {
					t.Errorf("%d subscriptions left open", log.Open())
				}
			})
		})
	}
}

func TestStalledSharedSubscriptionIsReplacedForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 10)
		ps, recs := many(log, 3, nil)
		r, err := projector.NewRunner(store, ps)
		if err != nil {
			t.Fatal(err)
		}
		running(t, r)
		time.Sleep(time.Minute)
		log.Stall(0)
		fill(log, 1, 10)
		time.Sleep(2 * time.Minute)
		for i, rec := range recs {
			if st := r.Status()[i]; len(rec.keys()) != 20 || st.Stalled {
				t.Errorf("projection %d: %d calls, %+v", i, len(rec.keys()), st)
			}
		}
	})
}
