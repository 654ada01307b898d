package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

var errBadKey = errors.New("bad key")

// failing fails the events of one stream as long as it is switched on.
type failing struct {
	stream string
	off    atomic.Bool
	times  atomic.Int64 // it has failed
}

func (f *failing) err(stream string) error {
	if stream == f.stream && !f.off.Load() {
		f.times.Add(1)
		return errBadKey
	}
	return nil
}

// kinds are the three ways to handle an event; parts makes them fail as f says.
var kinds = []string{"On", "OnTx", "table"}

type world struct {
	log   *sourcetest.Log
	store *faultyStore
	tab   *tally
	rec   *recorder
	part  projector.Part

	first map[string]int64 // number of the first event of a stream that is to be handled
}

func newWorld(kind string, f *failing) *world {
	w := &world{log: sourcetest.New(), store: newStore(), tab: newTally("jumps"), rec: &recorder{}}
	switch kind {
	case "On":
		w.rec.fail = func(key string) error { stream, _, _ := strings.Cut(key, "/"); return f.err(stream) }
		w.part = projector.On("pony.jumped", w.rec.handle)
	case "OnTx":
		w.part = projector.OnTx("pony.jumped", func(ctx context.Context, tx *notes, e projector.Event[jumped]) error {
			if err := f.err(e.Stream); err != nil {
				return err
			}
			return note(ctx, tx, e)
		})
	case "table":
		w.tab.bad = func(e *source.Event) error { return f.err(e.Stream) }
		w.part = w.tab
	}
	return w
}

// handled returns how many events of each stream took effect, and checks their order where it can be seen.
func (w *world) handled(t *testing.T, kind string) map[string]int64 {
	t.Helper()
	if kind == "table" {
		return counts(t, w.store, w.tab)
	}
	keys := w.rec.keys()
	if kind == "OnTx" {
		keys = w.store.committed()
	}
	got := map[string]int64{}
	for _, key := range keys {
		stream, number, _ := strings.Cut(key, "/")
		if number != fmt.Sprint(w.first[stream]+got[stream]) {
			t.Fatalf("%s came when %d was next", key, got[stream])
		}
		got[stream]++
	}
	return got
}

// skipFirst tells that the first event of a stream is not going to be handled.
func (w *world) skipFirst(stream string) { w.first = map[string]int64{stream: 1} }

func (s *faultyStore) committed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

func parked(t *testing.T, s *faultyStore, key *string) []checkpoint.Parked {
	t.Helper()
	rows, err := s.Store.(checkpoint.ParkingStore).Parked(t.Context(), "ponies", key, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// command has the running owner do something and returns its answer.
func command(t *testing.T, s *faultyStore, name string, which projector.Which) checkpoint.Command {
	t.Helper()
	store := s.Store.(checkpoint.ParkingStore)
	number, err := store.Send(t.Context(), "ponies", projector.NewCommand(name, which, "test"))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		c, err := store.Command(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Done.IsZero() {
			return c
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s was never executed", name)
	return checkpoint.Command{}
}

func ofStreams(streams int, each int64, but map[string]int64) map[string]int64 {
	want := map[string]int64{}
	for i := range streams {
		want[fmt.Sprintf("pony-%d", i)] = each
	}
	for k, n := range but {
		if want[k] = n; n == 0 {
			delete(want, k)
		}
	}
	return want
}

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

func TestOutageOfTheTargetParksNothing(t *testing.T) {
	t.Parallel()
	for _, pace := range []string{"catching up", "trickling"} {
		t.Run(pace, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store := sourcetest.New(), newStore()
				var down atomic.Bool
				rec := &recorder{fail: func(string) error {
					if down.Load() {
						return errors.New("503 service unavailable")
					}
					return nil
				}}
				r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)))
				fill(log, 20, 20)
				stop := running(t, r)
				synctest.Wait()
				down.Store(true)
				if pace == "trickling" {
					for i := range 20 {
						time.Sleep(5 * time.Minute)
						log.Append(fmt.Sprintf("pony-%d", i), sourcetest.JSON("pony.jumped", "{}"))
					}
				} else {
					fill(log, 20, 20)
				}
				time.Sleep(time.Hour)
				st := r.Status()[0]
				if st.State != projector.StatePaused || !strings.Contains(st.Reason, "different keys failed in a row") || !strings.Contains(st.Reason, "503") {
					t.Errorf("status %+v", st)
				}
				if n := len(parked(t, store, nil)); n != 0 || st.Handled != 20 {
					t.Errorf("%d parked, %d handled", n, st.Handled)
				}
				down.Store(false)
				time.Sleep(time.Minute)
				if st := r.Status()[0]; st.Handled != 40 || st.State != projector.StateLive || st.Parked != 0 {
					t.Errorf("after the outage: %+v", st)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
				if n := len(rec.keys()); n != 40 {
					t.Errorf("%d calls took effect, want 40", n)
				}
			})
		})
	}
}

// A single bad key with nothing else to show that it is its own fault is tried on, until something else succeeds.
func TestLonelyFailureWaitsForProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-0"}
		w := newWorld("On", f)
		fill(w.log, 1, 2)
		log := &logBook{}
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part), projector.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		running(t, r)
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StateRetrying || st.Parked != 0 || !strings.Contains(st.Reason, "no other event has shown") {
			t.Errorf("status %+v", st)
		}
		if log.count("event held back") == 0 || log.count("event_type=pony.jumped") != log.count("event_type=") || log.count("event parked") != 0 {
			t.Errorf("held back %d times, parked %d times, says the log", log.count("event held back"), log.count("event parked"))
		}
		w.log.Append("pony-1", sourcetest.JSON("pony.jumped", "{}"))
		st := until(t, r, "parked", func(s projector.Status) bool { return s.Parked == 2 })
		if st.Handled != 1 {
			t.Errorf("status %+v", st)
		}
		if n := log.count("event parked"); n != 1 { // the second waits behind the first
			t.Errorf("parked %d times, says the log", n)
		}
		head := parked(t, w.store, nil)[0]
		if int64(head.Attempts) != f.times.Load() || head.Attempts < 100 || head.Tried.Sub(head.FirstTried) < 50*time.Minute {
			t.Errorf("failed %d times in an hour, parked is %+v", f.times.Load(), head)
		}
	})
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), message)
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

func TestManyBadKeysAmongGoodOnesAreParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, store := sourcetest.New(), newStore()
		// Six bad keys in a row, more than the breaker allows, and then good ones.
		rec := &recorder{fail: func(key string) error {
			if key < "pony-6" {
				return errBadKey
			}
			return nil
		}}
		fill(log, 10, 40)
		r := newRunner(t, store, projector.New("ponies", log.All(nil), projector.On("pony.jumped", rec.handle)), projector.Once())
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.Status()[0]; st.Parked != 24 || st.Handled != 16 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestParkedCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-3"}
		w := newWorld("table", f)
		fill(w.log, 5, 25)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		running(t, r)
		until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive })
		other := "pony-1"
		for _, tc := range []struct {
			name    string
			which   projector.Which
			refused bool
			answer  string
		}{
			{projector.CommandRetry, projector.Which{Number: 3}, true, `event number 3 waits behind number 1 of its key "pony-3"`},
			{projector.CommandRetry, projector.Which{Number: 99}, true, "no parked event has number 99"},
			{projector.CommandRetry, projector.Which{Key: &other}, true, `no event of key "pony-1" is parked`},
			{"parked.eat", projector.Which{}, true, `unknown command "parked.eat"`},
			{projector.CommandDrop, projector.Which{Number: 1}, false, "1 dropped, 4 still parked"},
			{projector.CommandRetry, projector.Which{Number: 2}, false, "0 handled, 4 still parked: event number 2: bad key"},
			{projector.CommandDrop, projector.Which{}, false, "4 dropped, 0 still parked"},
		} {
			if c := command(t, w.store, tc.name, tc.which); c.Refused != tc.refused || c.Answer != tc.answer {
				t.Errorf("%s %+v: %+v", tc.name, tc.which, c)
			}
		}
		f.off.Store(true)
		fill(w.log, 5, 5)
		until(t, r, "done", func(s projector.Status) bool { return s.Handled == 25 })
		if diff := gocmp.Diff(ofStreams(5, 6, map[string]int64{"pony-3": 1}), w.handled(t, "table")); diff != "" {
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

// Folding does no I/O, so that a table needs no other event to show whose fault it is.
func TestLonelyFoldErrorIsParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("table", &failing{stream: "pony-0"})
		fill(w.log, 1, 2)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		running(t, r)
		time.Sleep(time.Hour)
		if st := r.Status()[0]; st.State != projector.StateLive || st.Parked != 2 {
			t.Errorf("status %+v", st)
		}
	})
}
