package policies

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// calls counts what handlers were called for, and how often they did it.
type calls struct {
	mu   sync.Mutex
	made map[string]int
	done map[string][]int64 // numbers, by stream
}

func (c *calls) note(e *projector.Envelope, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[fmt.Sprintf("%s/%d", e.Stream, e.Number)]++
	if err == nil {
		c.done[e.Stream] = append(c.done[e.Stream], e.Number)
	}
	return err
}

// One key in a thousand fails: it is parked in order, and every other event is handled once.
func TestOneKeyInAThousand(t *testing.T) {
	t.Parallel()
	const keys, each, bad = 1000, 3, "s-500"
	failures := map[string]func(ctx context.Context) error{
		"error": func(context.Context) error { return errors.New("out of hay") },
		"panic": func(context.Context) error { panic("out of hay") },
		"time-out": func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
	}
	for name, fail := range failures {
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				t.Parallel()
				onEachStore(t, func(t *testing.T, w *world) {
					for range each {
						for k := range keys {
							w.log.Append(fmt.Sprint("s-", k), sourcetest.JSON("good", `{"n":1}`))
						}
					}
					seen := &calls{made: map[string]int{}, done: map[string][]int64{}}
					mended := atomic.Bool{}
					h := projector.On("good", func(ctx context.Context, e projector.Event[jumped]) error {
						if e.Stream == bad && !mended.Load() {
							_ = seen.note(&e.Envelope, errors.New("bad"))
							return fail(ctx)
						}
						return seen.note(&e.Envelope, nil)
					})
					settings := []projector.Setting{then(projector.ActionPark), projector.WithHandlerTimeout(50 * time.Millisecond), projector.WithWorkers(workers)}
					if err := w.once(t, []projector.Part{h}, settings...); err != nil {
						t.Fatal(err)
					}
					rows := w.parked(t)
					if st := w.stored(t); st.Handled != (keys-1)*each || len(rows) != each {
						t.Fatalf("stored %+v; parked %+v", st, rows)
					}
					for i, row := range rows {
						if row.Stream != bad || row.Key != bad || row.EventNo != int64(i) || (row.Attempts == attempts) != (i == 0) {
							t.Errorf("parked %+v", row)
						}
					}
					for k := range keys {
						stream := fmt.Sprint("s-", k)
						if stream == bad {
							continue
						}
						if got := fmt.Sprint(seen.done[stream]); got != "[0 1 2]" {
							t.Errorf("%s was handled as %s", stream, got)
						}
					}
					if n := seen.made[bad+"/0"]; n != attempts || seen.made[bad+"/1"]+seen.made[bad+"/2"] != 0 {
						t.Errorf("%d calls for the bad event", n)
					}
					mended.Store(true)
					w.retry(t, h, settings)
					if got := fmt.Sprint(seen.done[bad]); got != "[0 1 2]" || len(w.parked(t)) != 0 {
						t.Errorf("mended, it is handled as %s", got)
					}
				})
			})
		}
	}
}

// retry has the owner handle what is parked.
func (w *world) retry(t *testing.T, h projector.Part, settings []projector.Setting) {
	t.Helper()
	number, err := w.store.Send(t.Context(), "p", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
	if err != nil {
		t.Fatal(err)
	}
	stop, r := w.run(t, h, settings...)
	defer stop()
	await(t, "an answer", r, func() bool {
		c, err := w.store.Command(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if c.Refused {
			t.Fatalf("refused: %s", c.Answer)
		}
		return !c.Done.IsZero()
	})
}

// run runs a projection until stop is called.
func (w *world) run(t *testing.T, part projector.Part, settings ...projector.Setting) (stop func(), r *projector.Runner) {
	t.Helper()
	r, err := projector.NewRunner(w.store, []*projector.Projection{projector.New("p", w.log.All(nil), part).With(settings...)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with ctx
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}), r
}

// await asks until it is so.
func await(t *testing.T, what string, r *projector.Runner, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("there was never %s: %+v", what, r.Status()[0])
		}
	}
}

// The target of all handlers is down: the projection pauses, parks nothing, and goes on when the target is back.
func TestTargetIsDown(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, w *world) {
				down := atomic.Bool{}
				down.Store(true)
				var mu sync.Mutex
				got := map[string]int{}
				target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if down.Load() {
						http.Error(rw, "out of hay", http.StatusServiceUnavailable)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					got[r.URL.Path]++
				}))
				defer target.Close()
				h := projector.On("good", func(ctx context.Context, e projector.Event[jumped]) error {
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/%s/%d", target.URL, e.Stream, e.Number), http.NoBody)
					if err != nil {
						return err
					}
					resp, err := target.Client().Do(req)
					if err != nil {
						return err
					}
					defer resp.Body.Close() //nolint:errcheck // nothing is read
					if resp.StatusCode != http.StatusOK {
						return errors.New(resp.Status)
					}
					return nil
				})
				for range 3 {
					for k := range 20 {
						w.log.Append(fmt.Sprint("s-", k), sourcetest.JSON("good", `{"n":1}`))
					}
				}
				stop, r := w.run(t, h, then(projector.ActionPark), projector.WithWorkers(workers))
				defer stop()
				await(t, "a pause", r, func() bool {
					st := r.Status()[0]
					return st.State == projector.StatePaused && strings.Contains(st.Reason, "different keys failed in a row")
				})
				if st := w.stored(t); st.Handled != 0 || len(w.parked(t)) != 0 {
					t.Errorf("stored %+v", st)
				}
				down.Store(false)
				await(t, "an end", r, func() bool { return r.Status()[0].Handled == 60 })
				stop()
				if st := w.stored(t); st.Handled != 60 || st.Skipped != 0 || len(w.parked(t)) != 0 {
					t.Errorf("stored %+v", st)
				}
				if len(got) != 60 {
					t.Errorf("%d of 60 came", len(got))
				}
			})
		})
	}
}
