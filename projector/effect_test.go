package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

func TestWorkersRunKeysBesideEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 50, 1000)
		var running, most atomic.Int64
		slow := func(ctx context.Context, e projector.Event[jumped]) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return rec.handle(ctx, e)
		}
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", slow)),
			projector.Once(), projector.WithWorkers(10))
		began := time.Now()
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 101*time.Second || most.Load() != 10 {
			t.Errorf("took %v with %d at once", took, most.Load())
		}
		if diff := gocmp.Diff(ofStreams(50, 20, nil), perStream(t, rec.keys())); diff != "" {
			t.Error(diff)
		}
		if st := stored(t, store); st.Handled != 1000 {
			t.Errorf("stored %+v", st)
		}
	})
}

// perStream counts events of each stream, which must be in order.
func perStream(t *testing.T, keys []string) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for _, key := range keys {
		stream, number, _ := strings.Cut(key, "/")
		if number != fmt.Sprint(got[stream]) {
			t.Fatalf("%s came when %d was next", key, got[stream])
		}
		got[stream]++
	}
	return got
}

// Only what has no gap before it is committed: a crash repeats events but loses none.
func TestWorkersCommitContiguousPrefixes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 10, 100)
		block := make(chan struct{})
		var calls atomic.Int64
		handler := func(ctx context.Context, e projector.Event[jumped]) error {
			if e.Stream == "pony-7" && e.Number == 2 { // the 28th event; 7 more of this stream wait behind it
				select {
				case <-block:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			calls.Add(1)
			return nil
		}
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", handler)), projector.WithWorkers(4))
		running(t, r)
		time.Sleep(time.Second)
		if st := r.Status()[0]; st.Handled != 27 || calls.Load() != 27+65 {
			t.Errorf("%d committed, %d called", st.Handled, calls.Load())
		}
		close(block)
		until(t, r, "done", func(s projector.Status) bool { return s.Handled == 100 })
		if calls.Load() != 100 {
			t.Errorf("%d called", calls.Load())
		}
	})
}

func TestWorkersParkFailingKeysInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := map[string]bool{"pony-3": true, "pony-8": true}
		var off atomic.Bool
		log, store := sourcetest.New(), newStore()
		rec := &recorder{fail: func(key string) error {
			if stream, _, _ := strings.Cut(key, "/"); bad[stream] && !off.Load() {
				return errBadKey
			}
			return nil
		}}
		fill(log, 20, 2000)
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)), projector.WithWorkers(8))
		stop := running(t, r)
		st := until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive })
		if st.Parked != 200 || st.Handled != 1800 || st.ParkedKeys != 2 {
			t.Errorf("status %+v", st)
		}
		off.Store(true)
		if c := command(t, store, projector.CommandRetry, projector.Which{}); c.Answer != "200 handled, 0 still parked" {
			t.Errorf("answer %+v", c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if diff := gocmp.Diff(ofStreams(20, 100, nil), perStream(t, rec.keys())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWorkersUnderFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 7, 700)
		n := 0
		store.set(nil, func(op string) error {
			store.mu.Lock()
			defer store.mu.Unlock()
			if n++; op == "commit" && n%5 == 0 {
				return errCut
			}
			return nil
		})
		var mu sync.Mutex
		last := map[string]int64{}
		handler := func(_ context.Context, e projector.Event[jumped]) error {
			time.Sleep(time.Duration(e.Number%5) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if next, seen := last[e.Stream]; seen && e.Number > next+1 || !seen && e.Number > 0 {
				t.Errorf("%s: %d came after %d", e.Stream, e.Number, next)
			}
			last[e.Stream] = e.Number
			return nil
		}
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", handler)),
			projector.Once(), projector.WithWorkers(5), projector.WithBatchSize(20))
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := stored(t, store); st.Handled != 700 || r.Status()[0].Handled != 700 {
			t.Errorf("stored %+v, status %+v", st, r.Status()[0])
		}
		for stream, n := range last {
			if n != 99 {
				t.Errorf("%s ended with %d", stream, n)
			}
		}
	})
}

func TestHandlerTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 3)
		calls := 0
		slow := func(ctx context.Context, e projector.Event[jumped]) error {
			if e.Number != 1 {
				return nil
			}
			calls++
			<-ctx.Done()
			return ctx.Err()
		}
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", slow)),
			projector.Once(), thenStop(), projector.WithHandlerTimeout(time.Minute))
		stopped := asStopped(t, r.Run(t.Context()))
		if !errors.Is(stopped, projector.ErrHandlerTimeout) || calls != 5 || stopped.Event.Number != 1 {
			t.Errorf("%d calls: %v", calls, stopped)
		}
	})
}

func stuckHere(release <-chan struct{}) { <-release }

func TestStuckHandlerStopsTheProjectionWithItsStack(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"On", "On with workers", "OnTx", "shutdown"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, other := sourcetest.New(), newStore(), &recorder{}
				fill(log, 1, 3)
				release := make(chan struct{})
				stuck := func(context.Context, projector.Event[jumped]) error { stuckHere(release); return nil }
				part := projector.On("pony.jumped", stuck)
				if kind == "OnTx" {
					part = projector.OnTx("pony.jumped", func(ctx context.Context, _ *notes, e projector.Event[jumped]) error { return stuck(ctx, e) })
				}
				p := projector.New("stuck", log.All(nil), part)
				if kind == "On with workers" {
					p.With(projector.WithWorkers(4))
				}
				r, err := projector.NewRunner(store, []*projector.Projection{
					p, projector.New("other", log.All(nil), projector.On("pony.jumped", other.handle)),
				}, projector.WithHandlerTimeout(time.Minute), projector.WithShutdownBound(10*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				stop := running(t, r)
				if kind == "shutdown" {
					synctest.Wait()
				} else {
					time.Sleep(2 * time.Minute)
					if st := r.Status(); st[0].State != projector.StateStopped || st[1].State != projector.StateLive || st[1].Handled != 3 {
						t.Errorf("status %+v", st)
					}
				}
				began := time.Now()
				err = stop()
				took := time.Since(began)
				stopped := asStopped(t, err)
				if !errors.Is(stopped, projector.ErrHandlerStuck) {
					t.Error(stopped)
				}
				if kind == "shutdown" {
					if took > 11*time.Second {
						t.Errorf("took %v", took)
					}
				} else if took > 0 || !strings.Contains(stopped.Error(), "stuckHere") || stopped.Event.Number != 0 {
					t.Errorf("after %v: %v", took, stopped)
				}
				close(release)
				synctest.Wait()
				if all, _ := store.List(t.Context()); all[1].Handled != 0 || all[1].Held {
					t.Errorf("stored %+v", all[1])
				}
			})
		})
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 1)
		var trace []string
		layer := func(name string) projector.Middleware {
			return func(next projector.Handle) projector.Handle {
				return func(ctx context.Context, e projector.Envelope) error {
					trace = append(trace, name+" before "+e.Type)
					err := next(ctx, e)
					trace = append(trace, fmt.Sprintf("%s after: %v", name, err))
					return nil
				}
			}
		}
		fail := func(ctx context.Context, e projector.Event[jumped]) error {
			got, ok := projector.FromContext(ctx)
			trace = append(trace, fmt.Sprintf("handler %v %v", ok, got.ID == e.ID))
			return errBadKey
		}
		p := projector.New("ponies", log.All(nil), projector.On("pony.jumped", fail)).With(projector.WithMiddleware(layer("inner")))
		if err := newRunner(t, store, p, projector.Once(), projector.WithMiddleware(layer("outer"))).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"outer before pony.jumped", "inner before pony.jumped", "handler true true", "inner after: bad key", "outer after: <nil>"}
		if diff := gocmp.Diff(want, trace); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOnAnyTakesWhatNobodyElseDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		log.Append("s", sourcetest.JSON("a", "1"), source.Event{Type: "b", Data: []byte("\x00\xff")}, source.Event{}, sourcetest.JSON("a", "2"))
		var got []string
		r := newRunner(t, store, projector.New("p", log.All(nil),
			projector.On("a", func(_ context.Context, e projector.Event[int]) error {
				got = append(got, fmt.Sprint(e.Body))
				return nil
			}),
			projector.OnAny(func(_ context.Context, e projector.Event[[]byte]) error {
				got = append(got, fmt.Sprintf("%s %x", e.Type, e.Body))
				return nil
			}),
		), projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]string{"1", "b 00ff", "2"}, got); diff != "" {
			t.Error(diff)
		}
		if st := r.Status()[0]; st.Handled != 3 || st.Ignored != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestEffectsAfterAFloor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec, tab := sourcetest.New(), newStore(), &recorder{}, newTally("jumps")
		fill(log, 1, 10)
		replays := 0
		p := projector.New("p", log.Stream("pony-0"), tab, projector.On("pony.jumped", rec.handle),
			projector.OnTx("pony.jumped", func(_ context.Context, _ *notes, e projector.Event[jumped]) error {
				if e.Replay {
					replays++
				}
				return nil
			})).With(projector.EffectsAfter(checkpoint.AtNumber(6)))
		r := newRunner(t, store, p, projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff([]string{"pony-0/7", "pony-0/8", "pony-0/9"}, rec.keys()); diff != "" {
			t.Error(diff)
		}
		if got := counts(t, store, tab)["pony-0"]; got != 10 || replays != 7 || r.Status()[0].Handled != 10 {
			t.Errorf("row says %d, %d replays", got, replays)
		}
	})
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.New()
		e := sourcetest.JSON("a", "1")
		e.Metadata = []byte(`{"$correlationId":"c-1","traceparent":"00-aa-bb-01","tracestate":"x=y"}`)
		log.Append("s", e, sourcetest.JSON("a", "2"))
		seen := map[string]bool{}
		var follow []string
		run := func(name string, epoch int64) {
			store := newStore()
			for range epoch - 1 {
				l, err := store.Acquire(t.Context(), checkpoint.Claim{Name: name, Owner: "x", TTL: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				_ = l.Release(t.Context())
			}
			err := newRunner(t, store, projector.New(name, log.All(nil), projector.On("a", func(ctx context.Context, e projector.Event[int]) error {
				seen[e.IdempotencyKey()] = true
				if e.FencingToken() != epoch {
					t.Errorf("fencing token %d", e.FencingToken())
				}
				if again := e; e.DeriveID("x") == e.DeriveID("y") || e.DeriveID("x") != again.DeriveID("x") {
					t.Error("derived ids")
				}
				parent, state := projector.TraceContext(ctx)
				follow = append(follow, e.CorrelationID(), e.CausationID(), parent, state, strings.ReplaceAll(string(e.FollowUp()), e.ID.String(), "ID"))
				return nil
			})), projector.Once()).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
		}
		run("one", 1)
		want := []string{
			"c-1", "", "00-aa-bb-01", "x=y", `{"$correlationId":"c-1","$causationId":"ID","traceparent":"00-aa-bb-01","tracestate":"x=y"}`,
			"", "", "", "", `{"$correlationId":"ID","$causationId":"ID"}`,
		}
		if diff := gocmp.Diff(want, follow); diff != "" {
			t.Error(diff)
		}
		run("one", 3)
		if len(seen) != 2 {
			t.Errorf("%d keys, want those of two events", len(seen))
		}
		run("two", 1)
		if len(seen) != 4 {
			t.Errorf("%d keys: another projection must have its own", len(seen))
		}
	})
}
