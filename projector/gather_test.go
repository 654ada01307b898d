package projector_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// commits notes how many events each commit holds.
type commits struct {
	mu    sync.Mutex
	sizes []int
}

func (c *commits) OnCommit(_ string, commit projector.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = append(c.sizes, commit.Handled)
}

// gather runs a projection over so many events, each of which takes so long, and each commit so long.
func gather(t *testing.T, events int, handle, commit time.Duration, tuning ...projector.Setting) (sizes []int, took time.Duration) {
	t.Helper()
	log, store := sourcetest.New(), newStore()
	fill(log, 1, events)
	store.set(func(op string) error {
		if op == "commit" {
			time.Sleep(commit)
		}
		return nil
	}, nil)
	on := projector.On("pony.jumped", func(context.Context, projector.Event[[]byte]) error { time.Sleep(handle); return nil })
	src := log.Stream("pony-0")
	src.PageSize = 500
	seen := &commits{}
	p := projector.New("p", src, on).With(tuning...)
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithHooks(seen))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return seen.sizes, time.Since(began)
}

func TestGathersMoreWhereCommitsAreDear(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		events         int
		handle, commit time.Duration
		most           int           // events in a commit
		last           int           // events in full ones, once it has adapted
		within         time.Duration // all
		settings       []projector.Setting
	}{
		// 40,000 events in commits of 1000 would take 40 times 20 ms.
		{name: "cheap handler, slow commits", events: 40_000, handle: 0, commit: 20 * time.Millisecond, most: 5000, last: 5000, within: 300 * time.Millisecond},
		{name: "cheap handler, quick commits", events: 40_000, handle: time.Microsecond, commit: 10 * time.Microsecond, most: 1000, last: 1000, within: 42 * time.Millisecond},
		// Of a slow handler, no more is gathered than it does in the time of a batch, so no more is repeated after a crash.
		{name: "slow handler, slow commits", events: 2000, handle: time.Millisecond, commit: 50 * time.Millisecond, most: 101, last: 100, within: 2100 * time.Millisecond},
		{
			name: "limited", events: 10_000, handle: 0, commit: 20 * time.Millisecond, most: 700, last: 700, within: 350 * time.Millisecond,
			settings: []projector.Setting{projector.WithBatchSize(700)},
		},
		{
			name: "limited by bytes", events: 10_000, handle: 0, commit: 20 * time.Millisecond, most: 1000, last: 1000, within: 350 * time.Millisecond,
			settings: []projector.Setting{projector.WithBatchBytes(20_000)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sizes, took := gather(t, tc.events, tc.handle, tc.commit, tc.settings...)
				if slices.Max(sizes) > tc.most || took > tc.within || !slices.Contains(sizes, tc.last) {
					t.Errorf("commits of %v events in %v", sizes, took)
				}
			})
		})
	}
}

// A batch that has grown shrinks again when commits are quick again.
func TestGathersLessWhenCommitsAreCheapAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 80_000)
		n := 0
		store.set(func(op string) error {
			if op != "commit" {
				return nil
			}
			if n++; n <= 10 {
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		}, nil)
		on := projector.On("pony.jumped", func(context.Context, projector.Event[[]byte]) error { time.Sleep(time.Microsecond); return nil })
		src, seen := log.Stream("pony-0"), &commits{}
		src.PageSize = 500
		r, err := projector.NewRunner(store, []*projector.Projection{projector.New("p", src, on)}, projector.Once(), projector.WithHooks(seen))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slices.Max(seen.sizes) != projector.DefaultBatchSize || slices.Max(seen.sizes[20:60]) != 1000 {
			t.Errorf("commits of %v events", seen.sizes)
		}
	})
}

// BenchmarkGather shows what gathering costs or gains where handlers and commits take their time.
func BenchmarkGather(b *testing.B) {
	for _, commit := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		for _, most := range []int{500, projector.DefaultBatchSize} {
			b.Run(fmt.Sprintf("commit %v/at most %d", commit, most), func(b *testing.B) {
				log, store := sourcetest.New(), &faultyStore{Store: memory.Open()}
				log.Append("ponies", make([]source.Event, b.N)...)
				store.set(func(op string) error {
					if op == "commit" {
						time.Sleep(commit)
					}
					return nil
				}, nil)
				src := log.Stream("ponies")
				src.PageSize = 500
				p := projector.New("p", src, nothing{}).With(projector.WithBatchSize(most))
				r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				if err := r.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
