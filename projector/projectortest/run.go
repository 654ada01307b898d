package projectortest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// Build makes the projection under test over a source that the test fills. It is called for every run, so that what it keeps
// outside of the store is fresh.
type Build func(src source.Source) *projector.Projection

// Case is one test: given these events, the projection leaves these traces.
type Case struct {
	Name  string
	Given []Event

	// Rows are the rows of each table named, in the order of the primary key. Columns that a row does not name are not
	// compared. A table that is not named is not compared.
	Rows map[string][]Row
	// Parked are the events put aside, in order.
	Parked []Parked
	// Stopped is a part of the reason why the projection stops; empty = it must not.
	Stopped string
	// Calls are what Called returns after each run, not compared if that is nil. Each run calls every side effect at least
	// once, and one of them twice.
	Calls  []string
	Called func() []string
}

// Parked is an event that was put aside.
type Parked struct {
	Key   string
	Type  string
	Error string // a part of it; empty = not compared
}

// Stores opens the stores on which the cases run, by name. They are closed at the end of the test.
type Stores map[string]func(t testing.TB) checkpoint.Store

// DefaultStores are memory and SQLite.
func DefaultStores() Stores {
	return Stores{
		"memory": func(testing.TB) checkpoint.Store { return memory.Open() },
		"sqlite": func(t testing.TB) checkpoint.Store {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}

// Run runs every case, on [DefaultStores].
func Run(t *testing.T, build Build, cases ...Case) {
	t.Helper()
	RunOn(t, DefaultStores(), build, cases...)
}

// RunOn is [Run] on other stores.
func RunOn(t *testing.T, stores Stores, build Build, cases ...Case) {
	t.Helper()
	for _, c := range cases {
		for name, open := range stores {
			for _, w := range ways() {
				t.Run(fmt.Sprintf("%s/%s/%s", c.Name, name, w.name), func(t *testing.T) {
					c.run(t, open(t), build, w)
				})
			}
		}
	}
}

// way is how the events of a case come to the projection.
type way struct {
	name  string
	batch int  // events in one commit
	again bool // every commit fails once
	step  bool // a new process for every event
}

func ways() []way {
	return []way{
		{name: "at once", batch: 1 << 20},
		{name: "one by one", batch: 1, step: true},
		{name: "everything twice", batch: 1, again: true},
	}
}

func (c *Case) run(t testing.TB, store checkpoint.Store, build Build, w way) {
	t.Helper()
	t.Cleanup(func() { _ = store.Close() })
	log := sourcetest.New()
	p := build(log.All(nil))
	if w.again {
		store = newTwice(store)
	}
	var err error
	if w.step {
		for i := range c.Given {
			appendTo(t, log, i, c.Given[i:i+1])
			err = runOnce(t, store, p, w)
		}
	} else {
		appendTo(t, log, 0, c.Given)
	}
	for range 2 { // the second must change nothing
		err = runOnce(t, store, p, w)
	}
	c.check(t, store, p, err)
}

func runOnce(t testing.TB, store checkpoint.Store, p *projector.Projection, w way) error {
	t.Helper()
	p.With(projector.WithRetryDelays(time.Millisecond, time.Millisecond), projector.WithBatchSize(w.batch))
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once())
	if err != nil {
		t.Fatal(err)
	}
	return r.Run(t.Context())
}

func (c *Case) check(t testing.TB, store checkpoint.Store, p *projector.Projection, err error) {
	t.Helper()
	switch {
	case c.Stopped == "" && err != nil:
		t.Errorf("the projection stopped: %v", err)
	case c.Stopped != "" && (err == nil || !strings.Contains(err.Error(), c.Stopped)):
		t.Errorf("the projection did not stop for %q: %v", c.Stopped, err)
	}
	for name, want := range c.Rows {
		compareRows(t, store, p, name, want)
	}
	c.checkParked(t, store, p.Name())
	if c.Called != nil {
		if diff := cmp.Diff(c.Calls, c.Called()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
}

func (c *Case) checkParked(t testing.TB, store checkpoint.Store, projection string) {
	t.Helper()
	parking, ok := store.(checkpoint.ParkingStore)
	if !ok {
		return
	}
	rows, err := parking.Parked(context.WithoutCancel(t.Context()), projection, nil, 0, 0)
	if err != nil && !errors.Is(err, checkpoint.ErrUnknownProjection) {
		t.Error(err)
		return
	}
	var got []Parked
	for i, row := range rows {
		p := Parked{Key: row.Key, Type: row.Type}
		if i < len(c.Parked) && c.Parked[i].Error != "" {
			if p.Error = row.Error; strings.Contains(row.Error, c.Parked[i].Error) {
				p.Error = c.Parked[i].Error
			}
		}
		got = append(got, p)
	}
	if diff := cmp.Diff(c.Parked, got); diff != "" {
		t.Errorf("parked events (-want +got):\n%s", diff)
	}
}
