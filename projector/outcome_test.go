package projector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	reason := errors.New("because")
	tests := []struct {
		name    string
		outcome func(call int) error
		calls   int
		took    time.Duration
		check   func(t *testing.T, st projector.Status, err error)
	}{
		{"Skip", func(int) error { return fmt.Errorf("wrapped: %w", projector.Skip(reason)) }, 1, 0, func(t *testing.T, st projector.Status, err error) {
			if err != nil || st.Skipped != 1 || st.Handled != 9 || st.Parked != 0 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
		{"Park", func(int) error { return projector.Park(reason) }, 1, 0, func(t *testing.T, st projector.Status, err error) {
			if err != nil || st.Skipped != 0 || st.Handled != 4 || st.Parked != 6 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
		{"RetryAfter", func(call int) error {
			if call < 3 {
				return projector.RetryAfter(time.Minute, reason)
			}
			return nil
		}, 3, 2 * time.Minute, func(t *testing.T, st projector.Status, err error) {
			if err != nil || st.Handled != 10 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
		{"Stop", func(int) error { return projector.Stop(reason) }, 1, 0, func(t *testing.T, st projector.Status, err error) {
			if !errors.Is(err, reason) || asStopped(t, err).Event.Number != 4 || st.Handled != 4 {
				t.Errorf("%v, %+v", err, st)
			}
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				fill(log, 1, 10)
				calls := 0
				fn := func(_ context.Context, e projector.Event[jumped]) error {
					if e.Number != 4 {
						return nil
					}
					calls++
					return tc.outcome(calls)
				}
				r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", fn)), projector.Once())
				began := time.Now()
				err := r.Run(t.Context())
				if took := time.Since(began); calls != tc.calls || took != tc.took {
					t.Errorf("%d calls, took %v", calls, took)
				}
				tc.check(t, r.Status()[0], err)
			})
		})
	}
}
