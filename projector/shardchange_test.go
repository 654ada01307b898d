package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// The number of shards is changed while all of them are at one position, and not otherwise.
func TestChangingTheNumberOfShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		run := func(n int, opts ...projector.Option) error {
			return newRunner(t, store, sharded(log, n, tab, &recorder{}), append(opts, projector.Once(), projector.WithBatchSize(10))...).Run(t.Context())
		}
		total := 0
		more := func() { fill(log, 10, 100); total += 100 }
		for _, n := range []int{1, 4, 16, 3, 1, 5} {
			more()
			if err := run(n); err != nil {
				t.Fatal(err)
			}
			if st := stored(t, store); st.Handled != int64(total) || len(st.Shards) != n && n > 1 || len(st.Shards) > 0 && n == 1 {
				t.Fatalf("%d shards: %+v", n, st)
			}
			again := newRunner(t, store, sharded(log, n, tab, &recorder{}), projector.Once())
			if err := again.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if here, st := again.Status()[0], stored(t, store); here.Position != st.Position || here.Resumed != st.Position || st.State != "stopped" {
				t.Errorf("%d shards: %+v, stored %+v", n, here, st)
			}
		}
		// A process that is killed leaves them at different positions.
		more()
		process := &faultyStore{Store: store.Store}
		left := 7
		process.set(locked(process, func(op string) error {
			if op != "commit" {
				return nil
			}
			if left--; left < 0 {
				return errCut
			}
			return nil
		}), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_ = newRunner(t, process, sharded(log, 5, tab, &recorder{}), projector.WithBatchSize(3)).Run(ctx)
		err := run(8)
		var refused *checkpoint.ShardsError
		if !errors.As(err, &refused) || refused.Stored != 5 || refused.Wants != 8 || !strings.Contains(err.Error(), " is at ") && !strings.Contains(err.Error(), " are at ") {
			t.Fatalf("got %v", err)
		}
		asStopped(t, err)
		time.Sleep(projector.DefaultLeaseTTL)
		if err := run(1); !errors.Is(err, checkpoint.ErrShards) || !strings.Contains(err.Error(), " at ") {
			t.Fatalf("got %v", err)
		}
		t.Log(err)
		more()
		if err := run(5); err != nil { // as the error says
			t.Fatal(err)
		}
		if err := run(8); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(ofStreams(10, int64(total)/10, nil), counts(t, store, tab)); diff != "" {
			t.Error(diff)
		}
		if err := store.Reset(t.Context(), "ponies", tab.table); err != nil {
			t.Fatal(err)
		}
		if err := run(2); err != nil {
			t.Fatal(err)
		}
		if st := stored(t, store); st.Handled != int64(total) || len(st.Shards) != 2 {
			t.Fatalf("%+v", st)
		}
	})
}

// An event whose shard is not known must not be passed by any of them: once its key is known, it may belong to any.
func TestUnknownShardStopsAllOfThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		fill(log, 10, 100)
		log.Append("odd", sourcetest.JSON("pony.jumped", `{}`))
		fill(log, 10, 100)
		order := func(ok bool) projector.Setting {
			return projector.OrderBy(func(e *source.Event) (string, error) {
				if e.Stream == "odd" && !ok {
					return "", errors.New("what is this")
				}
				return e.Stream, nil
			})
		}
		make := func(ok bool, opts ...projector.Setting) *projector.Runner {
			p := projector.New("ponies", log.All(nil), tab).With(append(opts, projector.Shards(4), order(ok))...)
			return newRunner(t, store, p, projector.WithBatchSize(7))
		}
		for range 2 {
			err := make(false).Run(t.Context())
			stopped := asStopped(t, err)
			if stopped.Event == nil || stopped.Event.Stream != "odd" || !strings.Contains(err.Error(), "what is this") {
				t.Fatalf("got %v", err)
			}
			if diff := gocmp.Diff(ofStreams(10, 10, nil), counts(t, store, tab)); diff != "" {
				t.Error(diff)
			}
		}
		stop := running(t, make(true))
		time.Sleep(time.Minute)
		want := ofStreams(10, 20, nil)
		want["odd"] = 1
		if diff := gocmp.Diff(want, counts(t, store, tab)); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
