package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

func TestEventsThatNobodyHandles(t *testing.T) {
	t.Parallel()
	link := source.Event{Link: &source.Link{ID: uuid.New(), Stream: "$ce-pony", Number: 7, Unresolved: true}}
	for _, tc := range []struct {
		name   string
		with   projector.Setting
		event  source.Event
		parked int64
		stop   error
	}{
		{"type: ignore", projector.WithUnhandled(projector.UnhandledIgnore), sourcetest.JSON("pony.slept", "{}"), 0, nil},
		{"type: warn", projector.WithUnhandled(projector.UnhandledWarn), sourcetest.JSON("pony.slept", "{}"), 0, nil},
		{"type: park", projector.WithUnhandled(projector.UnhandledPark), sourcetest.JSON("pony.slept", "{}"), 1, nil},
		{"type: stop", projector.WithUnhandled(projector.UnhandledStop), sourcetest.JSON("pony.slept", "{}"), 0, projector.ErrUnhandledType},
		{"link: ignore", projector.WithUnhandled(projector.UnhandledStop), link, 0, nil},
		{"link: warn", projector.WithUnresolvedLinks(projector.UnhandledWarn), link, 0, nil},
		{"link: park", projector.WithUnresolvedLinks(projector.UnhandledPark), link, 1, nil},
		{"link: stop", projector.WithUnresolvedLinks(projector.UnhandledStop), link, 0, projector.ErrUnresolvedLink},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, rec := sourcetest.New(), newStore(), &recorder{}
				fill(log, 2, 4)
				log.Append("other", tc.event)
				fill(log, 2, 4)
				p := projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)).With(tc.with)
				r := newRunner(t, store, p, projector.Once())
				err := r.Run(t.Context())
				st := r.Status()[0]
				if tc.stop != nil {
					if !errors.Is(err, tc.stop) || asStopped(t, err).Event.Stream != "other" || st.Handled != 4 {
						t.Errorf("%v, %+v", err, st)
					}
					return
				}
				if err != nil || st.Handled != 8 || st.Parked != tc.parked || st.Ignored != 1-tc.parked {
					t.Errorf("%v, %+v", err, st)
				}
				if tc.parked == 0 {
					return
				}
				c, err := newRunner(t, store, p).Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
				if err != nil || !strings.Contains(c.Answer, "0 handled, 1 still parked") {
					t.Errorf("retry: %+v, %v", c, err)
				}
			})
		})
	}
}

func TestParkedTypeIsHandledOnceThereIsAHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store, rec := sourcetest.New(), newStore(), &recorder{}
		log.Append("a", sourcetest.JSON("pony.slept", "{}"), sourcetest.JSON("pony.jumped", "{}"))
		p := projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)).With(projector.WithUnhandled(projector.UnhandledPark))
		if err := newRunner(t, store, p, projector.Once()).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(rec.keys()) != 0 {
			t.Errorf("handled %v, which must wait behind the event that is parked", rec.keys())
		}
		p = projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle), projector.On("pony.slept", rec.handle))
		c, err := newRunner(t, store, p).Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
		if err != nil || c.Answer != "2 handled, 0 still parked" || strings.Join(rec.keys(), " ") != "a/0 a/1" {
			t.Errorf("%+v, %v, %v", c, err, rec.keys())
		}
	})
}

func TestGapsAreCounted(t *testing.T) {
	t.Parallel()
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log, store, rec := sourcetest.New(), newStore(), &recorder{}
			fill(log, 1, 10)
			log.Truncate("pony-0", 2) // at the start it is no gap: nobody has read before
			p := projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", rec.handle))
			if stop {
				p.With(projector.WithGaps(projector.UnhandledStop))
			}
			run := func() (projector.Status, error) {
				r := newRunner(t, store, p, projector.Once())
				err := r.Run(t.Context())
				return r.Status()[0], err
			}
			if st, err := run(); err != nil || st.Gaps != 0 || st.Handled != 8 {
				t.Errorf("%v, %+v", err, st)
			}
			fill(log, 1, 10)
			log.Truncate("pony-0", 14)
			st, err := run()
			switch {
			case stop && (!errors.Is(err, projector.ErrGap) || !strings.Contains(err.Error(), "4 of them") || st.Handled != 0):
				t.Errorf("%v, %+v", err, st)
			case !stop && (err != nil || st.Gaps != 4 || st.Handled != 6):
				t.Errorf("%v, %+v", err, st)
			}
		})
	}
}

func TestStartAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			with projector.Setting
			want int64
		}{
			{projector.StartAt(checkpoint.AtNumber(6)), 8},
			{projector.StartAtEnd(), 5},
		} {
			log, store := sourcetest.New(), newStore()
			fill(log, 1, 10)
			fn := func(context.Context, projector.Event[jumped]) error { return nil }
			p := projector.New("ponies", log.Stream("pony-0"), projector.On("pony.jumped", fn)).With(tc.with)
			r := newRunner(t, store, p)
			stop := running(t, r)
			time.Sleep(time.Minute)
			fill(log, 1, 5)
			until(t, r, "done", func(s projector.Status) bool { return s.Handled == tc.want })
			if err := stop(); err != nil {
				t.Error(err)
			}
			fill(log, 1, 3) // the store knows it now
			if err := newRunner(t, store, p, projector.Once()).Run(t.Context()); err != nil {
				t.Error(err)
			}
			if st := stored(t, store); st.Handled != tc.want+3 {
				t.Errorf("stored %+v", st)
			}
		}
	})
}

// An event that is parked at once, behind one whose failure may be an outage, is looked at again with that: it is not passed
// over then.
func TestEventsParkedBehindADoubtfulOneAreNotLost(t *testing.T) {
	t.Parallel()
	broken, err := codec.NewUpcasters([]codec.Schema{{Type: "pony.jumped", Version: 1}}, []codec.Upcast{{
		From: codec.Schema{Type: "pony.leapt", Version: 1}, To: codec.Schema{Type: "pony.jumped", Version: 1},
		Fn: func([]byte, []byte) ([]byte, error) { return nil, errBadKey },
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		eventType string
		tuning    projector.Tuning
	}{
		{"pony.leapt", projector.WithUpcasters(broken)},
		{"pony.slept", projector.WithUnhandled(projector.UnhandledPark)},
	} {
		t.Run(tc.eventType, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				rec := &recorder{fail: func(key string) error {
					if strings.HasPrefix(key, "bad/") {
						return errBadKey
					}
					return nil
				}}
				log.Append("bad", sourcetest.JSON("pony.jumped", "{}"))
				log.Append("other", sourcetest.JSON(tc.eventType, "{}"))
				r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)), tc.tuning)
				running(t, r)
				time.Sleep(time.Hour) // both are tried again and again
				fill(log, 1, 1)
				st := until(t, r, "handled", func(s projector.Status) bool { return s.Handled == 1 })
				if rows := parked(t, store, nil); len(rows) != 2 || rows[1].Type != tc.eventType || st.Ignored != 0 {
					t.Errorf("parked %+v, status %+v", rows, st)
				}
			})
		})
	}
}
