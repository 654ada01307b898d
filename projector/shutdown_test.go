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

func TestShutdown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler time.Duration
		bound   time.Duration
		abandon bool
	}{
		{"finishes what is in hand", 5 * time.Second, 20 * time.Second, false},
		{"abandons it at the bound", 50 * time.Second, 20 * time.Second, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 100)
				entered := make(chan struct{}, 100)
				slow := func(ctx context.Context, _ projector.Event[jumped]) error {
					entered <- struct{}{}
					select {
					case <-time.After(tc.handler):
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", slow)),
					projector.WithShutdownBound(tc.bound), projector.WithHandlerTimeout(time.Hour))
				stop := running(t, r)
				<-entered
				<-entered
				<-entered
				began := time.Now()
				err := stop()
				took := time.Since(began)
				got := stored(t, store)
				if got.Held {
					t.Error("the lease is still held")
				}
				if tc.abandon {
					if !errors.Is(err, projector.ErrShutdownBound) || took != tc.bound || got.Handled != 2 {
						t.Errorf("%v after %v, %+v", err, took, got)
					}
				} else if err != nil || took != tc.handler || got.Handled != 3 {
					t.Errorf("%v after %v, %+v", err, took, got)
				}
			})
		})
	}
}

func TestShutdownDuringRetryAndOutage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"retry", "outage", "standby", "no event log"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, rec := sourcetest.New(), newStore(), &recorder{}
				fill(log, 1, 5)
				switch name {
				case "retry":
					rec.fail = func(string) error { return projector.Unavailable(errCut) }
				case "outage":
					store.set(func(op string) error { return errCut }, nil)
				case "standby":
					lease, err := store.Store.Acquire(t.Context(), checkpoint.Claim{Name: "ponies", Owner: "other", TTL: time.Hour})
					if err != nil {
						t.Fatal(err)
					}
					defer lease.Release(t.Context()) //nolint:errcheck // memory
				case "no event log":
					log.Intercept(func(sourcetest.Op) error { return errCut })
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle)))
				stop := running(t, r)
				time.Sleep(time.Minute + 7*time.Millisecond)
				began := time.Now()
				if err := stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
