package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestOnceHandlesEveryEventInOrderAndResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 1, 1200)
		log.Append("pony-0", sourcetest.JSON("pony.slept", `{}`))
		run := func() projector.Status {
			r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)), projector.Once())
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			return r.Status()[0]
		}
		st := run()
		if st.Handled != 1200 || st.Ignored != 1 || st.Position != checkpoint.AtNumber(1200) || st.State != projector.StateStopped {
			t.Errorf("status %+v", st)
		}
		want := make([]string, 1200)
		for i := range want {
			want[i] = fmt.Sprintf("pony-0/%d", i)
		}
		if diff := cmp.Diff(want, rec.keys()); diff != "" {
			t.Error(diff)
		}
		if st := run(); st.Handled != 0 || st.Resumed != checkpoint.AtNumber(1200) {
			t.Errorf("second run: %+v", st)
		}
		fill(log, 1, 1) // one more, at 1201
		if st := run(); st.Handled != 1 {
			t.Errorf("third run: %+v", st)
		}
		if got := stored(t, store); got.Handled != 1201 || got.Ignored != 1 || got.Held || got.State != "stopped" {
			t.Errorf("stored %+v", got)
		}
		if log.Open() != 0 {
			t.Errorf("%d subscriptions left open", log.Open())
		}
	})
}

func TestPositionAdvancesWhenNothingMatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 3, 2000)
		none := log.All(func(*source.Event) bool { return false })
		r := newRunner(t, store, projector.New("ponies", none, projector.On("pony.jumped", rec.handle)))
		stop := running(t, r)
		head, _ := none.Head(t.Context())
		st := until(t, r, "at head", func(s projector.Status) bool { return s.Position == head })
		if st.State != projector.StateLive || st.LagEvents != 0 || st.Lag != 0 {
			t.Errorf("status %+v", st)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLiveEventIsCommittedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		fill(log, 1, 10)
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab), projector.WithBatchTime(time.Hour))
		running(t, r)
		synctest.Wait()
		began := time.Now()
		for i := range 5 {
			fill(log, 1, 1)
			synctest.Wait()
			if got := counts(t, store, tab)["pony-0"]; got != int64(11+i) {
				t.Errorf("row says %d, want %d", got, 11+i)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		if s := r.Status()[0]; s.State != projector.StateLive || s.LagEvents != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestHandlerIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 10)
		failures := 0
		rec := &recorder{fail: func(key string) error {
			if key == "pony-0/4" && failures < 4 {
				failures++
				return errors.New("boom")
			}
			return nil
		}}
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)), projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(rec.keys()) != 10 || failures != 4 {
			t.Errorf("%d calls, %d failures: %v", len(rec.keys()), failures, rec.keys())
		}
	})
}

func TestHandlerThatKeepsFailingStopsTheProjection(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := []struct {
		name     string
		fail     func() error
		attempts int
		class    projector.Class
		text     string
	}{
		{"error", func() error { return boom }, 5, projector.ClassHandler, "event 4@pony-0 (pony.jumped)"},
		{"panic", func() error { panic(boom) }, 5, projector.ClassHandler, "runner_test.go"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 10)
				calls := 0
				rec := &recorder{}
				handler := func(ctx context.Context, e projector.Event[jumped]) error {
					if e.Number == 4 {
						calls++
						return tc.fail()
					}
					return rec.handle(ctx, e)
				}
				other := &recorder{}
				r, err := projector.NewRunner(store, []*projector.Projection{
					projector.New("bad", log.Stream("pony-0"), projector.On("pony.jumped", handler)),
					projector.New("good", log.Stream("pony-0"), projector.On("pony.jumped", other.handle)),
				}, projector.Once(), thenStop())
				if err != nil {
					t.Fatal(err)
				}
				stopped := asStopped(t, r.Run(t.Context()))
				if stopped.Projection != "bad" || stopped.Attempts != tc.attempts || stopped.Class != tc.class || !errors.Is(stopped, boom) {
					t.Errorf("stopped: %+v", stopped)
				}
				if !strings.Contains(stopped.Error(), tc.text) {
					t.Errorf("%q does not name %q", stopped, tc.text)
				}
				if calls != tc.attempts || len(rec.keys()) != 4 || len(other.keys()) != 10 {
					t.Errorf("%d calls, %d before, %d of the other", calls, len(rec.keys()), len(other.keys()))
				}
				if st := r.Status()[0]; st.Position != checkpoint.AtNumber(3) || st.State != projector.StateStopped || st.Handled != 4 {
					t.Errorf("status %+v", st)
				}
			})
		})
	}
}

func TestUndecodableBodyStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 1, 3)
		log.Append("pony-0", sourcetest.JSON("pony.jumped", `{"height_m":"high"}`))
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)), projector.Once(), thenStop())
		began := time.Now()
		stopped := asStopped(t, r.Run(t.Context()))
		if stopped.Class != projector.ClassDecode || stopped.Attempts != 1 || time.Since(began) > 0 {
			t.Errorf("%+v after %v", stopped, time.Since(began))
		}
		if got := stored(t, store); got.Position != checkpoint.AtNumber(2) || got.State != "stopped" || !strings.Contains(got.Reason, "3@pony-0") {
			t.Errorf("stored %+v", got)
		}
	})
}

func TestSkipPolicyPassesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		tab.bad = func(e *source.Event) error {
			if e.Number%7 == 3 {
				return errors.New("boom")
			}
			return nil
		}
		fill(log, 1, 70)
		retry := projector.DefaultRetryPolicy()
		retry.Then = projector.ActionSkip
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), tab).With(projector.WithRetry(retry)), projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.Status()[0]; st.Skipped != 10 || st.Handled != 60 {
			t.Errorf("status %+v", st)
		}
		if got := counts(t, store, tab)["pony-0"]; got != 60 {
			t.Errorf("row says %d", got)
		}
	})
}

func TestUnavailableTargetPausesForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 5)
		back := time.Now().Add(90 * time.Minute)
		rec := &recorder{fail: func(string) error {
			if time.Now().Before(back) {
				return projector.Unavailable(errors.New("no route to pony"))
			}
			return nil
		}}
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)))
		running(t, r)
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StatePaused || !strings.Contains(st.Reason, "no route to pony") {
			t.Errorf("status %+v", st)
		}
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StateLive || st.Handled != 5 || st.Epoch != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

// The database refuses one row in a thousand events, and only a commit shows it.
func TestRefusedValueIsFoundByHalving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
		tab.max = 50
		fill(log, 19, 900)
		for range 10 { // pony-7 reaches 51 at event 903
			log.Append("pony-7", sourcetest.JSON("pony.jumped", `{}`))
		}
		commits := 0
		store.set(func(op string) error {
			if op == "commit" {
				commits++
			}
			return nil
		}, nil)
		r := newRunner(t, store, projector.New("ponies", log.All(nil), tab), projector.Once(), thenStop())
		stopped := asStopped(t, r.Run(t.Context()))
		if stopped.Event.Stream != "pony-7" || stopped.Event.Number != 50 {
			t.Errorf("stopped at %v", stopped)
		}
		var row *checkpoint.RowError
		if !errors.As(stopped, &row) {
			t.Errorf("%v hides the RowError", stopped)
		}
		if st := r.Status()[0]; st.Handled != 903 {
			t.Errorf("%d events before the bad one are committed, want 903", st.Handled)
		}
		if got := counts(t, store, tab)["pony-7"]; got != 50 {
			t.Errorf("row says %d", got)
		}
		if commits > 40 {
			t.Errorf("%d commits to find one row", commits)
		}
	})
}

func TestMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	log := sourcetest.New()
	fn := func(context.Context, projector.Event[jumped]) error { return nil }
	_, err := projector.NewRunner(nil, []*projector.Projection{
		projector.New("", log.All(nil), projector.On("a", fn), projector.On("a", fn)),
		projector.New("x", nil),
		projector.New("x", log.All(nil), projector.On[jumped]("b", nil), newTally("t")),
		projector.New("y", log.All(nil), newTally("t")),
		nil,
	}, projector.WithBatchSize(0), projector.WithLeaseTTL(time.Millisecond), projector.WithShutdownBound(0))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"the store is nil", `On("a") is registered twice`, `projection "": has no name`, "has no source", "neither handlers nor tables",
		"the name is used twice", `handler of "b" is nil`, `table "t" is already written by projection "x"`, "a projection is nil",
		"WithBatchSize: 0: must be at least 1", "WithLeaseTTL: 1ms: must be at least 100ms", "WithShutdownBound",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if !errors.Is(err, projector.ErrInvalidOption) {
		t.Error("not ErrInvalidOption")
	}
}
