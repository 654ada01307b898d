package projector_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestParkedRetentionByAge(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &failing{stream: "pony-3"}
			w := newWorld("table", f)
			log := &logBook{}
			p := projector.New("ponies", w.log.All(nil), w.part)
			if whole {
				p.With(projector.ParkProjection())
			}
			r := newRunner(t, w.store, p, projector.WithParkedRetention(projector.Retention{Age: 24 * time.Hour}),
				projector.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
			fill(w.log, 5, 10)
			stop := running(t, r)
			until(t, r, "parked", func(s projector.Status) bool { return s.Parked > 0 })
			time.Sleep(23*time.Hour + 50*time.Minute)
			if st := r.Status()[0]; st.Parked == 0 || st.Expired != 0 {
				t.Errorf("before its time: %+v", st)
			}
			f.off.Store(true)
			time.Sleep(15 * time.Minute)
			gone := int64(2)
			if whole {
				gone = 1 // the other one has never been parked
			}
			if st := r.Status()[0]; st.Parked != 0 || st.Expired != gone || st.Skipped != gone || st.Dropped != 0 || st.State != projector.StateLive {
				t.Errorf("after its time: %+v", st)
			}
			if n := log.count("parked event dropped"); n != int(gone) || log.count("reason=retention") != n || log.count("err=\"bad key\"") == 0 {
				t.Errorf("%d lines in the log", n)
			}
			fill(w.log, 5, 5)
			time.Sleep(time.Minute)
			if diff := gocmp.Diff(ofStreams(5, 3, map[string]int64{"pony-3": 3 - gone}), w.handled(t, "table")); diff != "" {
				t.Error(diff)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if st := stored(t, w.store); st.Handled+st.Skipped+st.Parked != 15 {
				t.Errorf("stored %+v", st)
			}
		})
	}
}

func TestParkedRetentionByCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("On", &failing{stream: "pony-3"})
		fill(w.log, 5, 500)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.WithBatchSize(10),
			projector.WithMaxParked(20), projector.WithParkedRetention(projector.Retention{Count: 7}))
		stop := running(t, r)
		st := until(t, r, "live", live)
		if st.Parked != 7 || st.Expired != 93 || st.Skipped != 93 || st.Handled != 400 {
			t.Errorf("status %+v", st)
		}
		rows := parked(t, w.store, nil)
		if len(rows) != 7 || rows[0].EventNo != 93 || rows[6].EventNo != 99 {
			t.Errorf("parked %+v", rows)
		}
		// They are handled in order all the same, and what is dropped on command is counted on its own.
		if c := command(t, w.store, projector.CommandDrop, projector.Which{Number: rows[0].Number}); c.Refused {
			t.Errorf("answer %+v", c)
		}
		if st := r.Status()[0]; st.Parked != 6 || st.Dropped != 1 || st.Expired != 93 || st.Skipped != 94 {
			t.Errorf("status %+v", st)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		// A smaller number holds from the next start on.
		r = newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.WithParkedRetention(projector.Retention{Count: 2}))
		stop = running(t, r)
		until(t, r, "fewer", func(s projector.Status) bool { return s.Parked == 2 })
		if err := stop(); err != nil {
			t.Error(err)
		}
		if st := stored(t, w.store); st.Handled+st.Skipped+st.Parked != 500 {
			t.Errorf("stored %+v", st)
		}
	})
}

func TestParkedIsKeptByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("table", &failing{stream: "pony-3"})
		fill(w.log, 5, 25)
		running(t, newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part)))
		time.Sleep(time.Hour)
		if rows := parked(t, w.store, nil); len(rows) != 5 {
			t.Errorf("%d parked", len(rows))
		}
	})
}

func TestNegativeRetentionIsRefused(t *testing.T) {
	t.Parallel()
	for _, r := range []projector.Retention{{Age: -1}, {Count: -1}} {
		log := sourcetest.New()
		_, err := projector.NewRunner(newStore(), []*projector.Projection{projector.New("p", log.All(nil), newTally("t"))}, projector.WithParkedRetention(r))
		if !errors.Is(err, projector.ErrInvalidOption) || !strings.Contains(err.Error(), "WithParkedRetention") {
			t.Error(fmt.Sprint(r), err)
		}
	}
}
