package projector_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

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
