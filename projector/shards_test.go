package projector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// The shard of a key is stored by where its rows and parked events are: it must never change.
func TestShardOf(t *testing.T) {
	t.Parallel()
	for key, want := range map[string][3]int{
		"": {5, 37, 2}, "a": {4, 12, 5}, "pony-0": {4, 20, 2}, "Applejack": {0, 32, 2}, "ä\x00": {6, 38, 6},
	} {
		got := [3]int{projector.ShardOf(key, 8), projector.ShardOf(key, 64), projector.ShardOf(key, 7)}
		if got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
	var sizes [16]int
	for i := range 16_000 {
		sizes[projector.ShardOf(fmt.Sprintf("pony-%d", i), 16)]++
	}
	if least, most := slices.Min(sizes[:]), slices.Max(sizes[:]); least < 800 || most > 1200 {
		t.Errorf("keys are spread unevenly: %v", sizes)
	}
}

// sharded makes a projection of all three kinds over n shards.
func sharded(log *sourcetest.Log, n int, tab *tally, rec *recorder) *projector.Projection {
	return projector.New("ponies", log.All(nil), tab, projector.On("pony.jumped", rec.handle), projector.OnTx("pony.jumped", note)).
		With(projector.Shards(n), projector.OrderBy(func(e *source.Event) string { return e.Stream }))
}

func TestShardsGiveTheSameRows(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, projector.MaxShards} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const streams, events = 23, 2300
				log, store, tab, rec := sourcetest.New(), newStore(), newTally("jumps"), &recorder{}
				fill(log, streams, events)
				log.Append("other", sourcetest.JSON("pony.slept", `{}`))
				r := newRunner(t, store, sharded(log, n, tab, rec), projector.Once(), projector.WithBatchSize(50))
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := ofStreams(streams, events/streams, nil)
				if diff := gocmp.Diff(want, counts(t, store, tab)); diff != "" {
					t.Error(diff)
				}
				if diff := gocmp.Diff(want, perStream(t, store.lines)); diff != "" {
					t.Errorf("OnTx: %s", diff)
				}
				if diff := gocmp.Diff(want, perStream(t, rec.keys())); diff != "" {
					t.Errorf("On: %s", diff)
				}
				st, here := stored(t, store), r.Status()[0]
				if st.Handled != events || st.Ignored != 1 || here.Handled != events || here.Ignored != 1 || here.State != projector.StateStopped {
					t.Errorf("stored %+v, here %+v", st, here)
				}
				if log.Opened() != 1 {
					t.Errorf("%d subscriptions for %d shards", log.Opened(), n)
				}
				for _, sh := range st.Shards {
					if sh.Position != here.Head || sh.Held {
						t.Errorf("%+v, the head is %v", sh, here.Head)
					}
				}
			})
		})
	}
}

// owners counts the shards that each owner has.
func owners(t *testing.T, store checkpoint.Store) map[string]int {
	t.Helper()
	got := map[string]int{}
	for _, sh := range stored(t, store).Shards {
		if sh.Held {
			got[sh.Owner]++
		}
	}
	return got
}

func TestShardsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 8
		log, shared, tab, rec := sourcetest.New(), newStore(), newTally("jumps"), &recorder{}
		fill(log, 40, 400)
		start := func(name string) (stop func() error, kill func(), r *projector.Runner) {
			process := &faultyStore{Store: shared.Store}
			r = newRunner(t, process, sharded(log, n, tab, rec), projector.WithOwner(name))
			ctx, cancel := context.WithCancel(t.Context())
			done := runAside(ctx, r)
			return func() error { cancel(); return <-done }, func() {
				process.set(func(string) error { return errCut }, nil)
				cancel()
				<-done
			}, r
		}
		expect := func(after time.Duration, want map[string]int) {
			t.Helper()
			time.Sleep(after)
			if diff := gocmp.Diff(want, owners(t, shared)); diff != "" {
				t.Errorf("after %v: %s", after, diff)
			}
		}
		stopA, _, a := start("a")
		expect(100*time.Millisecond, map[string]int{"a": 8})
		_, killB, _ := start("b")
		expect(5*time.Second, map[string]int{"a": 4, "b": 4})
		stopC, _, c := start("c")
		expect(5*time.Second, map[string]int{"a": 3, "b": 3, "c": 2})
		if st := a.Status()[0]; st.Shards != 8 || st.ShardsHere != 3 || st.State != projector.StateLive {
			t.Errorf("%+v", st)
		}
		fill(log, 40, 40)
		expect(2*time.Second, map[string]int{"a": 3, "b": 3, "c": 2})
		epoch := stored(t, shared).Epoch
		expect(time.Minute, map[string]int{"a": 3, "b": 3, "c": 2})
		if got := stored(t, shared).Epoch; got != epoch {
			t.Errorf("shards have moved though nobody came or went: epoch %d after %d", got, epoch)
		}
		killB()
		expect(5*time.Second, map[string]int{"a": 3, "b": 3, "c": 2}) // nobody can know
		expect(projector.DefaultLeaseTTL, map[string]int{"a": 4, "c": 4})
		if err := stopA(); err != nil {
			t.Error(err)
		}
		expect(4*time.Second, map[string]int{"c": 8})
		head := c.Status()[0].Head
		if err := c.WaitFor(t.Context(), "ponies", head); err != nil {
			t.Error(err)
		}
		if err := stopC(); err != nil {
			t.Error(err)
		}
		expect(0, map[string]int{})
		if diff := gocmp.Diff(ofStreams(40, 11, nil), counts(t, shared, tab)); diff != "" {
			t.Error(diff)
		}
		if st := stored(t, shared); st.Handled != 440 {
			t.Errorf("%+v", st)
		}
	})
}

// Who comes and goes at once moves nothing.
func TestShardsDoNotThrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, shared := sourcetest.New(), newStore()
		running(t, newRunner(t, shared, sharded(log, 16, newTally("jumps"), &recorder{}), projector.WithOwner("a")))
		time.Sleep(5 * time.Second)
		epoch := stored(t, shared).Epoch
		for range 20 {
			stop := running(t, newRunner(t, shared, sharded(log, 16, newTally("jumps"), &recorder{}), projector.WithOwner("b")))
			time.Sleep(100 * time.Millisecond)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
		}
		if st := stored(t, shared); st.Epoch != epoch || owners(t, shared)["a"] != 16 {
			t.Errorf("epoch %d after %d, %v", st.Epoch, epoch, owners(t, shared))
		}
	})
}

func TestShardsParkByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const streams, each = 10, 20
		log, store, tab, rec := sourcetest.New(), newStore(), newTally("jumps"), &recorder{}
		var bad atomic.Bool
		bad.Store(true)
		tab.bad = func(e *source.Event) error {
			if bad.Load() && (e.Stream == "pony-3" || e.Stream == "pony-4") && e.Number == 5 {
				return errBadKey
			}
			return nil
		}
		fill(log, streams, streams*each)
		r := newRunner(t, store, sharded(log, 4, tab, rec))
		stop := running(t, r)
		time.Sleep(time.Minute)
		bads := func(e string) bool { return e == "pony-3" || e == "pony-4" }
		if got := len(parked(t, store, nil)); got != 2*(each-5) {
			t.Errorf("%d parked", got)
		}
		want := ofStreams(streams, each, nil)
		for name := range want {
			if bads(name) {
				want[name] = 5
			}
		}
		if diff := gocmp.Diff(want, counts(t, store, tab)); diff != "" {
			t.Error(diff)
		}
		if st := r.Status()[0]; st.Parked != 30 || st.ParkedKeys != 2 || st.State != projector.StateLive {
			t.Errorf("%+v", st)
		}
		for _, sh := range stored(t, store).Shards {
			for _, e := range parked(t, store, nil) {
				if of := projector.ShardOf(e.Key, 4); strings.Contains(sh.Name, fmt.Sprintf("#%d/", of)) && sh.Parked == 0 {
					t.Errorf("%s has none of key %s", sh.Name, e.Key)
				}
			}
		}
		command := func(name string, which projector.Which) checkpoint.Command {
			t.Helper()
			c, err := r.Execute(t.Context(), "ponies", projector.NewCommand(name, which, "test"))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := command(projector.CommandRetry, projector.Which{}); !strings.Contains(c.Answer, "0 handled, 15 still parked") || c.Refused {
			t.Errorf("%+v", c)
		}
		bad.Store(false)
		four := "pony-4"
		if c := command(projector.CommandRetry, projector.Which{Key: &four}); c.Answer != "15 handled, 0 still parked" {
			t.Errorf("%+v", c)
		}
		if c := command(projector.CommandRetry, projector.Which{Number: 999}); !c.Refused || !strings.Contains(c.Answer, "999") {
			t.Errorf("%+v", c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		again := newRunner(t, store, sharded(log, 4, tab, rec))
		c, err := again.Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "nobody runs"))
		if err != nil || c.Answer != "15 handled, 0 still parked" {
			t.Errorf("%+v, %v", c, err)
		}
		if diff := gocmp.Diff(ofStreams(streams, each, nil), counts(t, store, tab)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestShardsAreChecked(t *testing.T) {
	t.Parallel()
	log := sourcetest.New()
	on := projector.On("pony.jumped", (&recorder{}).handle)
	for name, tt := range map[string]struct {
		name  string
		store checkpoint.Store
		parts []projector.Part
		with  projector.Setting
		want  string
	}{
		"none":         {"p", memory.Open(), []projector.Part{on}, projector.Shards(0), "Shards: 0: must be 1 to 128"},
		"too many":     {"p", memory.Open(), []projector.Part{on}, projector.Shards(129), "must be 1 to 128"},
		"several keys": {"p", memory.Open(), []projector.Part{on, newTally("jumps")}, projector.Shards(2), "tables and handlers; give every event one key with OrderBy"},
		"store":        {"p", struct{ checkpoint.Store }{memory.Open()}, []projector.Part{on}, projector.Shards(2), "the store does not keep shards"},
		"name":         {"p#1/2", memory.Open(), []projector.Part{on}, projector.Shards(1), "is named like a shard"},
		"whole":        {"p", memory.Open(), []projector.Part{on}, both{projector.Shards(2), projector.ParkProjection()}, "everything waits behind a parked event"},
	} {
		_, err := projector.NewRunner(tt.store, []*projector.Projection{projector.New(tt.name, log.All(nil), tt.parts...).With(settingsOf(tt.with)...)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// both are two settings in a table of one.
type both struct {
	projector.Setting
	other projector.Setting
}

func settingsOf(s projector.Setting) []projector.Setting {
	if b, ok := s.(both); ok {
		return []projector.Setting{b.Setting, b.other}
	}
	return []projector.Setting{s}
}
