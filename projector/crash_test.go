package projector_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// A process that dies at an event dies a few times, then the event is parked and the others are handled.
func TestProcessThatDiesOnAnEvent(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"On", "table"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, shared, tab := sourcetest.New(), newStore(), newTally("jumps")
				fill(log, 5, 100)
				deaths := 0
				for {
					process := &faultyStore{Store: shared.Store}
					ctx, cancel := context.WithCancel(t.Context())
					dead := false
					die := func(stream string, number int64) error {
						if stream == "pony-3" && number == 7 {
							dead = true
							cancel()
							process.set(func(string) error { return errCut }, nil)
							return errCut
						}
						return nil
					}
					var part projector.Part
					if kind == "On" {
						part = projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error { return die(e.Stream, e.Number) })
					} else {
						tab.bad = func(e *source.Event) error { return die(e.Stream, e.Number) }
						part = tab
					}
					r := newRunner(t, process, projector.New("ponies", log.All(nil), part), projector.Once())
					err := r.Run(ctx)
					cancel()
					if !dead {
						if err != nil {
							t.Fatal(err)
						}
						break
					}
					if deaths++; deaths > 20 {
						t.Fatal("it dies for ever")
					}
				}
				if deaths != 5 && deaths != 6 { // the first may have committed what came before the event
					t.Errorf("%d deaths", deaths)
				}
				rows := parked(t, shared, nil)
				if len(rows) != 13 || rows[0].EventNo != 7 || rows[0].Class != "crash" {
					t.Errorf("%d parked: %+v", len(rows), rows)
				}
				if st := stored(t, shared); st.Handled != 87 || st.Parked != 13 {
					t.Errorf("stored %+v", st)
				}
			})
		})
	}
}
