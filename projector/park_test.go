package projector_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

var errBadKey = errors.New("bad key")

func TestFailingKeyIsParkedInOrderAndOthersFlow(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{stream: "pony-3"}
				w := newWorld(kind, f)
				fill(w.log, 10, 500)
				r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
				stop := running(t, r)
				st := until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive })
				if st.Parked != 50 || st.ParkedKeys != 1 || st.Handled != 450 {
					t.Errorf("status %+v", st)
				}
				if diff := gocmp.Diff(ofStreams(10, 50, map[string]int64{"pony-3": 0}), w.handled(t, kind)); diff != "" {
					t.Error(diff)
				}
				rows := parked(t, w.store, nil)
				for i, row := range rows {
					if row.Key != "pony-3" || row.Stream != "pony-3" || row.EventNo != int64(i) || row.Type != "pony.jumped" || len(row.Data) == 0 {
						t.Errorf("row %d: %+v", i, row)
					}
				}
				if h := rows[0]; h.Class != "handler" || h.Error != "bad key" || h.Attempts != 5 || !h.Tried.After(h.FirstTried) || rows[1].Error != "" || rows[1].Attempts != 0 || !rows[1].Tried.IsZero() {
					t.Errorf("head %+v, next %+v", h, rows[1])
				}

				// A retry that fails changes only the head.
				key := "pony-3"
				if c := command(t, w.store, projector.CommandRetry, projector.Which{Key: &key}); c.Refused || !strings.Contains(c.Answer, "0 handled, 50 still parked: event number 1: bad key") {
					t.Errorf("answer %+v", c)
				}
				if rows := parked(t, w.store, nil); len(rows) != 50 || rows[0].Attempts != 6 || rows[1].Attempts != 0 {
					t.Errorf("%d rows, head %+v", len(rows), rows[0])
				}

				// After the cause is mended, all of them are handled, in order, and so are later ones.
				f.off.Store(true)
				fill(w.log, 10, 10)
				if c := command(t, w.store, projector.CommandRetry, projector.Which{}); c.Refused || c.Answer != "51 handled, 0 still parked" && c.Answer != "50 handled, 0 still parked" {
					t.Errorf("answer %+v", c)
				}
				st = until(t, r, "done", func(s projector.Status) bool { return s.Handled == 510 })
				if err := stop(); err != nil {
					t.Error(err)
				}
				if diff := gocmp.Diff(ofStreams(10, 51, nil), w.handled(t, kind)); diff != "" {
					t.Error(diff)
				}
				if s := stored(t, w.store); s.Parked != 0 || s.Handled != 510 || st.Epoch != 1 {
					t.Errorf("stored %+v", s)
				}
			})
		})
	}
}

// An event of a key that is being parked at this very moment waits too.
func TestKeyThatIsBeingParkedKeepsItsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-0"}
		w := newWorld("On", f)
		release := make(chan struct{})
		w.store.set(func(op string) error {
			if op == "commit" {
				<-release
			}
			return nil
		}, nil)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		running(t, r)
		fill(w.log, 1, 1)
		time.Sleep(time.Minute) // it is held back
		w.log.Append("pony-1", sourcetest.JSON("pony.jumped", "{}"))
		synctest.Wait() // and now on its way into the database
		f.off.Store(true)
		fill(w.log, 1, 1)
		synctest.Wait()
		close(release)
		until(t, r, "parked", func(s projector.Status) bool { return s.Parked == 2 })
		if diff := gocmp.Diff(map[string]int64{"pony-1": 1}, w.handled(t, "On")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParkedSurvivesTheOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-3"}
		w := newWorld("OnTx", f)
		for range 3 {
			fill(w.log, 5, 25)
			r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.Once())
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.off.Store(true) // the later ones wait behind the first all the same
		}
		rows := parked(t, w.store, nil)
		if len(rows) != 15 || rows[14].Error != "" {
			t.Errorf("%d rows", len(rows))
		}
		if diff := gocmp.Diff(ofStreams(5, 15, map[string]int64{"pony-3": 0}), w.handled(t, "OnTx")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParkedCapStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("On", &failing{stream: "pony-3"})
		fill(w.log, 5, 500)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.Once(), projector.WithMaxParked(7))
		stopped := asStopped(t, r.Run(t.Context()))
		if !strings.Contains(stopped.Error(), "too many events are parked: 7") || stopped.Event.Number != 7 {
			t.Error(stopped)
		}
		if rows := parked(t, w.store, nil); len(rows) != 7 {
			t.Errorf("%d parked", len(rows))
		}
	})
}
