package projector

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/photonpump/projector/projector/source"
)

// A run does what a slice would do, and changes none of the pages it was given.
func TestRunIsLikeASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var r run
		var want []int64
		var given [][]source.Event // with what is behind them
		var before [][]int64
		type kept struct {
			event  *source.Event
			number int64
		}
		var lasting []kept
		next := int64(0)
		for range 60 {
			switch rng.IntN(5) {
			case 0, 1:
				page := make([]source.Event, rng.IntN(2*smallPage), 3*smallPage)
				if rng.IntN(2) == 0 {
					page = page[:min(1, len(page))]
				}
				for i := range page {
					page[i].Number = next
					want = append(want, next)
					next++
				}
				given = append(given, page[:cap(page)])
				before = append(before, numbers(page[:cap(page)]))
				r.add(page)
			case 2:
				n := rng.IntN(r.len() + 1)
				head := r.cut(n)
				if head.len() != n {
					t.Fatalf("%d events cut off, want %d", head.len(), n)
				}
				if rng.IntN(2) == 0 {
					r.glue(head)
				} else {
					want = want[n:]
				}
			case 3:
				if n := r.len(); n > 0 {
					i := rng.IntN(n)
					lasting = append(lasting, kept{r.lasting(i), want[i]})
					want[i] = -2 - want[i] // as often as it likes
					r.edit(i).Number = want[i]
				}
			case 4:
				from := rng.IntN(r.len() + 1)
				to := from + rng.IntN(r.len()-from+1)
				var got []int64
				for start, events := range r.slices(from, to) {
					if start != from+len(got) {
						t.Fatalf("a piece begins at %d, want %d", start, from+len(got))
					}
					for i := range events {
						got = append(got, events[i].Number)
					}
				}
				if !slices.Equal(got, want[from:to]) {
					t.Fatalf("seed %d: events %v, want %v", seed, got, want[from:to])
				}
			}
			if r.len() != len(want) {
				t.Fatalf("%d events, want %d", r.len(), len(want))
			}
			for i := range want {
				if got := r.at(i).Number; got != want[i] {
					t.Fatalf("seed %d: event %d is %d, want %d", seed, i, got, want[i])
				}
			}
		}
		for _, k := range lasting {
			if k.event.Number != k.number {
				t.Fatalf("seed %d: an event that is to last is %d, was %d", seed, k.event.Number, k.number)
			}
		}
		for i, page := range given {
			if !slices.Equal(numbers(page), before[i]) {
				t.Fatalf("seed %d: a page was changed that was given: %v, was %v", seed, numbers(page), before[i])
			}
		}
	}
}

func numbers(events []source.Event) []int64 {
	ns := make([]int64, len(events))
	for i := range events {
		ns[i] = events[i].Number
	}
	return ns
}
