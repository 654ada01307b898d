package projector_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

type jumped struct {
	Name   string  `json:"name"`
	Height float64 `json:"height_m"`
}

// faultyStore is a memory store with faults.
type faultyStore struct {
	checkpoint.Store
	mu     sync.Mutex
	lines  []string              // what transactions have committed
	before func(op string) error // an error fails the operation before it is done
	after  func(op string) error // an error hides that it was done
}

func newStore() *faultyStore { return &faultyStore{Store: memory.Open()} }

func (s *faultyStore) set(before, after func(op string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *faultyStore) do(op string, fn func() error) error {
	s.mu.Lock()
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(op); err != nil {
			return err
		}
	}
	err := fn()
	if err == nil && after != nil {
		return after(op)
	}
	return err
}

func (s *faultyStore) Acquire(ctx context.Context, c checkpoint.Claim) (l checkpoint.Lease, err error) {
	err = s.do("acquire", func() error { l, err = s.Store.Acquire(ctx, c); return err })
	if err != nil {
		return nil, err
	}
	return &faultyLease{l.(checkpoint.ParkingLease), s}, nil
}

func (s *faultyStore) EnsureTables(ctx context.Context, t ...*checkpoint.Table) error {
	return s.do("ensure", func() error { return s.Store.EnsureTables(ctx, t...) })
}

func (s *faultyStore) parking() checkpoint.ParkingStore { return s.Store.(checkpoint.ParkingStore) }

func (s *faultyStore) Parked(ctx context.Context, p string, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	return s.parking().Parked(ctx, p, key, after, limit)
}

func (s *faultyStore) Send(ctx context.Context, p string, c checkpoint.Command) (int64, error) {
	return s.parking().Send(ctx, p, c)
}

func (s *faultyStore) Command(ctx context.Context, number int64) (checkpoint.Command, error) {
	return s.parking().Command(ctx, number)
}

func (s *faultyStore) shards() checkpoint.ShardStore { return s.Store.(checkpoint.ShardStore) }

func (s *faultyStore) Divide(ctx context.Context, d checkpoint.Division) error {
	return s.do("divide", func() error { return s.shards().Divide(ctx, d) })
}

func (s *faultyStore) Meet(ctx context.Context, p string, m checkpoint.Member, ttl time.Duration) (meeting checkpoint.Meeting, err error) {
	err = s.do("meet", func() error { meeting, err = s.shards().Meet(ctx, p, m, ttl); return err })
	return meeting, err
}

func (s *faultyStore) Leave(ctx context.Context, p string, instance uuid.UUID) error {
	return s.do("leave", func() error { return s.shards().Leave(ctx, p, instance) })
}

type faultyLease struct {
	checkpoint.ParkingLease
	s *faultyStore
}

func (l *faultyLease) Commit(ctx context.Context, c checkpoint.Change) error {
	return l.s.do("commit", func() error { return l.ParkingLease.Commit(ctx, c) })
}

func (l *faultyLease) Mark(ctx context.Context, m checkpoint.Marker) error {
	return l.s.do("mark", func() error { return l.ParkingLease.Mark(ctx, m) })
}

func (l *faultyLease) Renew(ctx context.Context) error {
	return l.s.do("renew", func() error { return l.ParkingLease.Renew(ctx) })
}

func (l *faultyLease) Release(ctx context.Context) error {
	return l.s.do("release", func() error { return l.ParkingLease.Release(ctx) })
}

func (l *faultyLease) Load(ctx context.Context, t *checkpoint.Table, k [][]any) (rows [][]any, err error) {
	err = l.s.do("load", func() error { rows, err = l.ParkingLease.Load(ctx, t, k); return err })
	return rows, err
}

// Begin gives the handlers a *notes to write through, whose lines count only if the transaction commits.
func (l *faultyLease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	tx, err := l.ParkingLease.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyTx{Tx: tx, s: l.s, notes: &notes{}}, nil
}

type notes struct{ lines []string }

type faultyTx struct {
	checkpoint.Tx
	s     *faultyStore
	notes *notes
}

func (t *faultyTx) Native() any { return t.notes }

func (t *faultyTx) Commit(ctx context.Context, c checkpoint.Change) error {
	return t.s.do("commit", func() error {
		if err := t.Tx.Commit(ctx, c); err != nil {
			return err
		}
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		t.s.lines = append(t.s.lines, t.notes.lines...)
		return nil
	})
}

// tally is a folder that counts events by stream.
type tally struct {
	table *checkpoint.Table
	bad   func(e *source.Event) error // fails the folding of an event
	max   int64                       // the database refuses larger counts, if not 0
	print string
}

func newTally(name string) *tally {
	return &tally{print: "v1", table: &checkpoint.Table{
		Name: name, Key: []string{"stream"},
		Columns: []checkpoint.Column{
			{Name: "stream", Type: checkpoint.Type{Base: checkpoint.Text}},
			{Name: "n", Type: checkpoint.Type{Base: checkpoint.Int}, NotNull: true},
		},
	}}
}

func (f *tally) OrderingKey(e *source.Event) (string, error) { return e.Stream, nil }

func (f *tally) Tables() []*checkpoint.Table   { return []*checkpoint.Table{f.table} }
func (f *tally) Handles(eventType string) bool { return eventType == "pony.jumped" }
func (f *tally) Fingerprint() string           { return f.print }

func (f *tally) NewFold(_ string, lease checkpoint.Lease) projector.Fold {
	return &tallyFold{tally: f, lease: lease, rows: map[string]int64{}, dirty: map[string]bool{}}
}

type tallyFold struct {
	*tally
	lease checkpoint.Lease
	rows  map[string]int64
	dirty map[string]bool
}

func (f *tallyFold) Fold(ctx context.Context, events []source.Event) error {
	for i := range events {
		e := &events[i]
		if !f.Handles(e.Type) {
			continue
		}
		if f.bad != nil {
			if err := f.bad(e); err != nil {
				class := projector.ClassHandler
				if of := (*projector.EventError)(nil); errors.As(err, &of) {
					class, err = of.Class, of.Err
				}
				return &projector.EventError{Index: i, Class: class, Err: err}
			}
		}
		n, ok := f.rows[e.Stream]
		if !ok {
			loaded, err := f.lease.Load(ctx, f.table, [][]any{{e.Stream}})
			if err != nil {
				return err
			}
			if loaded[0] != nil {
				n = loaded[0][1].(int64)
			}
		}
		f.rows[e.Stream] = n + 1
		f.dirty[e.Stream] = true
	}
	return nil
}

func (f *tallyFold) Writes() []checkpoint.TableWrite {
	if len(f.dirty) == 0 {
		return nil
	}
	w := checkpoint.TableWrite{Table: f.table}
	for _, stream := range slices.Sorted(maps.Keys(f.dirty)) {
		var n any = f.rows[stream]
		if f.max > 0 && f.rows[stream] > f.max {
			n = "too large" // which the column refuses
		}
		w.Upserts = append(w.Upserts, []any{stream, n})
	}
	f.dirty = map[string]bool{}
	return []checkpoint.TableWrite{w}
}

func (f *tallyFold) Committed() {}

func (f *tallyFold) Rollback() {
	f.rows, f.dirty = map[string]int64{}, map[string]bool{}
}

// counts reads the rows of a tally.
func counts(t *testing.T, store checkpoint.Store, f *tally) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	err := store.Rows(t.Context(), f.table, 0, func(row []any) bool {
		got[row[0].(string)] = row[1].(int64)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fill appends n jumps, round robin, to streams pony-0 … pony-(streams-1).
func fill(log *sourcetest.Log, streams, n int) {
	for i := range n {
		name := fmt.Sprintf("pony-%d", i%streams)
		log.Append(name, sourcetest.JSON("pony.jumped", fmt.Sprintf(`{"name":%q,"height_m":%d}`, name, i)))
	}
}

// recorder is a handler that records which events it got.
type recorder struct {
	mu   sync.Mutex
	got  []string
	fail func(key string) error
}

func (r *recorder) handle(_ context.Context, e projector.Event[jumped]) error {
	key := fmt.Sprintf("%s/%d", e.Stream, e.Number)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(key); err != nil {
			return err
		}
	}
	r.got = append(r.got, key)
	return nil
}

func (r *recorder) keys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func newRunner(t *testing.T, store checkpoint.Store, p *projector.Projection, opts ...projector.Option) *projector.Runner {
	t.Helper()
	r, err := projector.NewRunner(store, []*projector.Projection{p}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// running starts a runner; the function it returns stops it and returns what Run returned.
func running(t *testing.T, r *projector.Runner) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// until waits until the status satisfies cond. Under synctest it takes no real time.
func until(t *testing.T, r *projector.Runner, what string, cond func(projector.Status) bool) projector.Status {
	t.Helper()
	for range 10_000 {
		if s := r.Status()[0]; cond(s) {
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never %s: %+v", what, r.Status()[0])
	return projector.Status{}
}

func stored(t *testing.T, store checkpoint.Store) checkpoint.Status {
	t.Helper()
	all, err := store.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("list: %v, %v", all, err)
	}
	return all[0]
}

func asStopped(t *testing.T, err error) *projector.StoppedError {
	t.Helper()
	var stopped *projector.StoppedError
	if !errors.As(err, &stopped) {
		t.Fatalf("got %v, want a StoppedError", err)
	}
	return stopped
}

// then is the default policy with another end.
func then(a projector.Action) projector.Tuning {
	p := projector.DefaultRetryPolicy()
	p.Then = a
	return projector.WithRetry(p)
}

func thenStop() projector.Tuning { return then(projector.ActionStop) }
