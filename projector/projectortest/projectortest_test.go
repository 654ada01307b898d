package projectortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

type jumped struct {
	Name   string  `json:"name"`
	Height float64 `json:"height_m"`
}

type pony struct {
	Name  string `db:"name,key"`
	Jumps int
	BestM float64
}

func ponies(src source.Source) *projector.Projection {
	return projector.New("ponies", src, readmodel.Table("ponies",
		readmodel.On("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
				if e.Body.Height > 3 {
					return errors.New("no pony jumps so high")
				}
				r.Value.Jumps++
				r.Value.BestM = max(r.Value.BestM, e.Body.Height)
				return nil
			})))
}

func jump(name string, height float64) Event {
	return Event{Stream: "pony-" + name, Type: "pony.jumped", Body: jumped{name, height}}
}

func TestRun(t *testing.T) {
	t.Parallel()
	stores := DefaultStores()
	stores["postgres"] = func(t testing.TB) checkpoint.Store {
		url, schema := pgtest.Schema(t)
		s, err := postgres.Open(t.Context(), url, postgres.WithSchema(schema))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cases := []Case{
		{Name: "nothing", Rows: map[string][]Row{"ponies": {}}},
		{
			Name:  "jumps are counted",
			Given: []Event{jump("Applejack", 0.6), jump("Rarity", 1), {Stream: "x", Type: "other"}, jump("Applejack", 0.5)},
			Rows: map[string][]Row{"ponies": {
				{"name": "Applejack", "jumps": 2, "best_m": 0.6},
				{"name": "Rarity", "best_m": 1},
			}},
		},
		{
			Name:   "a bad jump is parked, and those behind it",
			Given:  []Event{jump("Rarity", 1), jump("Applejack", 4), jump("Applejack", 1), jump("Rarity", 2)},
			Rows:   map[string][]Row{"ponies": {{"name": "Rarity", "jumps": 2}}},
			Parked: []Parked{{"Applejack", "pony.jumped", "no pony jumps so high"}, {"Applejack", "pony.jumped", ""}},
		},
		{
			Name:    "a body that is not JSON has no key",
			Given:   []Event{jump("Rarity", 1), {Stream: "s", Type: "pony.jumped", Body: []byte("{")}},
			Rows:    map[string][]Row{"ponies": {{"name": "Rarity", "jumps": 1}}},
			Stopped: "decode",
		},
	}
	RunOn(t, stores, ponies, cases...)
	cases[len(cases)-1].Stopped = "nor is its shard" // each of the shards stops before it
	cases[len(cases)-1].Rows = nil
	RunOn(t, stores, func(src source.Source) *projector.Projection {
		return ponies(src).With(projector.Shards(4))
	}, cases...)
}

// mailbox is the target of side effects, which recognises repetitions if it is told their keys.
type mailbox struct {
	mu    sync.Mutex
	keys  map[string]bool
	mails []string
}

func (m *mailbox) send(key, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key != "" && m.keys[key] {
		return
	}
	if m.keys == nil {
		m.keys = map[string]bool{}
	}
	m.keys[key] = true
	m.mails = append(m.mails, text)
}

func greeting(box *mailbox, idempotent bool) Build {
	return func(src source.Source) *projector.Projection {
		*box = mailbox{}
		return projector.New("mails", src, projector.On("pony.jumped", func(_ context.Context, e projector.Event[jumped]) error {
			key := ""
			if idempotent {
				key = e.IdempotencyKey()
			}
			box.send(key, "well done, "+e.Body.Name)
			return nil
		}))
	}
}

func TestIdempotentEffectsPass(t *testing.T) {
	t.Parallel()
	var box mailbox
	Run(t, greeting(&box, true), Case{
		Name:   "mails",
		Given:  []Event{jump("Applejack", 1), jump("Rarity", 1)},
		Calls:  []string{"well done, Applejack", "well done, Rarity"},
		Called: func() []string { return slices.Clone(box.mails) },
	})
}

// spy records failures instead of failing.
type spy struct {
	testing.TB
	failures []string
}

func (s *spy) Errorf(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}
func (s *spy) Error(args ...any) { s.failures = append(s.failures, fmt.Sprint(args...)) }

func TestWhatIsWrongIsReported(t *testing.T) {
	t.Parallel()
	var box mailbox
	for _, tc := range []struct {
		name  string
		build Build
		c     Case
		way   int
		want  string
	}{
		{"another value", ponies, Case{Given: []Event{jump("a", 1)}, Rows: map[string][]Row{"ponies": {{"jumps": 2}}}}, 0, `table "ponies"`},
		{"a row too many", ponies, Case{Given: []Event{jump("a", 1)}, Rows: map[string][]Row{"ponies": {}}}, 0, `table "ponies"`},
		{"a row missing", ponies, Case{Rows: map[string][]Row{"ponies": {{"jumps": 2}}}}, 0, `table "ponies"`},
		{"unknown column", ponies, Case{Given: []Event{jump("a", 1)}, Rows: map[string][]Row{"ponies": {{"jump": 1}}}}, 0, `table "ponies"`},
		{"parked", ponies, Case{Given: []Event{jump("a", 4)}}, 0, "parked events"},
		{"not parked", ponies, Case{Given: []Event{jump("a", 1)}, Parked: []Parked{{Key: "a", Type: "pony.jumped"}}}, 0, "parked events"},
		{"another reason", ponies, Case{Given: []Event{jump("a", 4)}, Parked: []Parked{{"a", "pony.jumped", "too low"}}}, 0, "no pony jumps so high"},
		{"stops", ponies, Case{Given: []Event{{Stream: "s", Type: "pony.jumped", Body: []byte("{")}}}, 0, "the projection stopped"},
		{"does not stop", ponies, Case{Stopped: "because"}, 0, `did not stop for "because"`},
		{"repeated effect", greeting(&box, false), Case{
			Given: []Event{jump("a", 1)}, Calls: []string{"well done, a"}, Called: func() []string { return box.mails },
		}, 2, "calls"},
	} {
		s := &spy{TB: t}
		tc.c.run(s, memory.Open(), tc.build, ways()[tc.way])
		if len(s.failures) != 1 || !strings.Contains(s.failures[0], tc.want) {
			t.Errorf("%s: %q", tc.name, s.failures)
		}
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	h := Start(t, memory.Open(), ponies)
	h.Wait(t) // for nothing
	for i := range 3 {
		h.Append(t, jump("Applejack", float64(i)))
		h.Wait(t)
		if got := h.Rows(t, "ponies"); len(got) != 1 || got[0]["jumps"] != int64(i+1) {
			t.Errorf("rows %v", got)
		}
	}
}
