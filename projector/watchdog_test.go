package projector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestWatchdogReplacesASilentSubscription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 1, 10)
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)))
		running(t, r)
		time.Sleep(time.Hour) // idle is not stalled
		if st := r.Status()[0]; st.Restarts != 0 || st.Stalled {
			t.Fatalf("idle: %+v", st)
		}
		log.Stall(0)
		fill(log, 1, 5)
		time.Sleep(20 * time.Second)
		if st := r.Status()[0]; st.Lag < 15*time.Second || st.LagEvents != -1 {
			t.Errorf("a silent subscription must show: %+v", st)
		}
		time.Sleep(time.Minute)
		if st := r.Status()[0]; st.Handled != 15 || st.Restarts != 1 || st.Stalled || st.Lag != 0 {
			t.Errorf("status %+v", st)
		}
		log.Stall(5)
		fill(log, 1, 5)
		time.Sleep(3 * time.Minute)
		if st := r.Status()[0]; st.Handled != 15 || !st.Stalled || st.Restarts < 4 {
			t.Errorf("status %+v", st)
		}
		time.Sleep(2 * time.Minute)
		if st := r.Status()[0]; st.Handled != 20 || st.Stalled || st.Restarts != 7 {
			t.Errorf("status %+v", st)
		}
		if len(rec.keys()) != 20 {
			t.Errorf("%d calls", len(rec.keys()))
		}
	})
}

// While the pipeline is not empty, nothing is torn down.
func TestWatchdogLeavesSlowHandlersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 10)
		slow := func(context.Context, projector.Event[jumped]) error { time.Sleep(25 * time.Second); return nil }
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", slow)))
		running(t, r)
		fill(log, 1, 10)
		time.Sleep(10 * time.Minute)
		if st := r.Status()[0]; st.Handled != 20 || st.Restarts != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestWaitFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		fill(log, 1, 10)
		slow := func(_ context.Context, e projector.Event[jumped]) error {
			if e.Number == 15 {
				return projector.Stop(errBadKey)
			}
			time.Sleep(time.Second)
			return nil
		}
		make := func() *projector.Runner {
			return newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", slow)))
		}
		owner, standby := make(), make()
		running(t, owner)
		synctest.Wait()
		running(t, standby)
		began := time.Now()
		for i, r := range []*projector.Runner{owner, standby} {
			if err := r.WaitFor(t.Context(), "ponies", checkpoint.AtNumber(9)); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
				t.Errorf("runner %d: after %v", i, took)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := owner.WaitFor(short, "ponies", checkpoint.AtNumber(10)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		began = time.Now()
		fill(log, 1, 10)
		if err := owner.WaitFor(t.Context(), "ponies", checkpoint.AtNumber(19)); !errors.Is(err, errBadKey) || time.Since(began) > 6*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if err := owner.WaitFor(t.Context(), "horses", checkpoint.AtNumber(1)); !errors.Is(err, projector.ErrUnknownProjection) {
			t.Errorf("got %v", err)
		}
	})
}

func TestExecuteWithAndWithoutAnOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-3"}
		w := newWorld("table", f)
		fill(w.log, 5, 25)
		make := func() *projector.Runner {
			return newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		}
		owner, tool := make(), make()
		stop := running(t, owner)
		until(t, owner, "parked", func(s projector.Status) bool { return s.Parked == 5 })
		ask := func() string {
			c, err := tool.Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
			if err != nil || c.Refused {
				t.Errorf("%+v, %v", c, err)
			}
			return c.Answer
		}
		if got := ask(); got != "0 handled, 5 still parked: event number 1: bad key" {
			t.Error(got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		f.off.Store(true)
		if got := ask(); got != "5 handled, 0 still parked" {
			t.Error(got)
		}
		if st := stored(t, w.store); st.Held || st.Handled != 25 || st.Parked != 0 || st.Epoch != 2 {
			t.Errorf("stored %+v", st)
		}
		if got := counts(t, w.store, w.tab)["pony-3"]; got != 5 {
			t.Errorf("row says %d", got)
		}
	})
}

func TestSourceThatDoesNotAnswerShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		fill(log, 1, 10)
		r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)))
		running(t, r)
		time.Sleep(time.Minute)
		if st := r.Status()[0]; st.State != projector.StateLive || st.LagEvents != 0 || st.Lag != 0 {
			t.Fatalf("at rest: %+v", st)
		}
		log.Intercept(func(op sourcetest.Op) error {
			if op == sourcetest.OpHead {
				return errors.New("connection refused")
			}
			return nil
		})
		time.Sleep(time.Minute)
		st := r.Status()[0]
		if st.State != projector.StatePaused || st.Reason != "stream pony-0 does not answer: stream pony-0: head: connection refused" {
			t.Errorf("away: state %v, reason %q", st.State, st.Reason)
		}
		if st.LagEvents != -1 || st.Lag != -1 || st.Stalled {
			t.Errorf("away: a lag that nobody can know: %+v", st)
		}
		log.Intercept(nil)
		time.Sleep(time.Minute)
		if st := r.Status()[0]; st.State != projector.StateLive || st.Reason != "" || st.LagEvents != 0 {
			t.Errorf("back: %+v", st)
		}
	})
}
