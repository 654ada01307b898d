// Package memory is a store that lives and ends with the process: for tests, and for projections that are built anew at
// every start. It keeps every promise of [checkpoint.Store] but that of surviving; the clock is that of the process.
package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// Store keeps everything in memory. It is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu          sync.Mutex
	closed      bool
	migrated    bool // Migrate was called
	projections map[string]*projection
	tables      map[string]*table
	requests    []request // numbered from 1
	numbers     int64     // given to parked events so far
	members     map[string][]member
}

var _ checkpoint.Store = (*Store)(nil)

// projection is what a row of the table of projections is elsewhere.
type projection struct {
	checkpoint.Status           // Held and Name are not kept up to date here
	fresh             bool      // starts where the next claim says
	instance          uuid.UUID // of the owner
	base              string    // of a shard: its projection
	divided           int       // into so many shards; 0 = it is not
	parking
	handled handled
}

// Option changes how a store works.
type Option interface{ apply(*Store) }

type clock func() time.Time

func (c clock) apply(s *Store) { s.now = c }

// WithClock sets the clock that decides when a lease has expired. Defaults to time.Now.
func WithClock(now func() time.Time) Option { return clock(now) }

// Open makes an empty store.
func Open(opts ...Option) *Store {
	s := &Store{now: time.Now, projections: map[string]*projection{}, tables: map[string]*table{}, members: map[string][]member{}}
	for _, opt := range opts {
		opt.apply(s)
	}
	return s
}

// lock takes the lock of the store, unless it is closed or ctx has ended. The caller unlocks s.mu.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return checkpoint.ErrClosed
	}
	return nil
}

// Migrate implements [checkpoint.Store]. There are no tables to make.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.migrated = true
	return nil
}

// Check implements [checkpoint.Store].
func (s *Store) Check(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if !s.migrated {
		return checkpoint.ErrNotMigrated
	}
	return nil
}

// EnsureTables implements [checkpoint.Store].
func (s *Store) EnsureTables(ctx context.Context, tables ...*checkpoint.Table) error {
	for _, t := range tables {
		if err := t.Validate(); err != nil {
			return err
		}
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	diffs := s.diff(tables)
	if err := drift.Errors(diffs); err != nil {
		return err
	}
	made := make([]*table, len(tables))
	for i, diff := range diffs {
		var err error
		switch {
		case diff.Missing:
			made[i] = newTable(diff.Table)
		case !diff.Empty():
			if made[i], err = s.tables[diff.Table.Name].migrated(&diff); err != nil {
				return err
			}
		}
	}
	for i, t := range made {
		if t != nil {
			s.tables[tables[i].Name] = t
		}
	}
	return nil
}

// Diff implements [checkpoint.Store].
func (s *Store) Diff(ctx context.Context, tables ...*checkpoint.Table) ([]checkpoint.TableDiff, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.diff(tables), nil
}

func (s *Store) diff(tables []*checkpoint.Table) []checkpoint.TableDiff {
	diffs := make([]checkpoint.TableDiff, len(tables))
	for i, t := range tables {
		diffs[i] = s.compare(t)
	}
	return diffs
}

func (s *Store) compare(t *checkpoint.Table) checkpoint.TableDiff {
	typeName := func(c *checkpoint.Column, _ bool) string { return c.Type.String() }
	if live, ok := s.tables[t.Name]; ok {
		shape := drift.Want(live.def, typeName)
		return drift.Compare(t, &shape, typeName)
	}
	return drift.Compare(t, nil, typeName)
}

// table returns the live table of a definition.
func (s *Store) table(def *checkpoint.Table) (*table, error) {
	t, ok := s.tables[def.Name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", checkpoint.ErrNoTable, def.Name)
	}
	return t, nil
}

// Acquire implements [checkpoint.Store].
func (s *Store) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	if err := claim.Validate(); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := s.now()
	p := s.projections[claim.Name]
	if err := s.checkDivision(claim.Name, p); err != nil {
		return nil, err
	}
	if p == nil {
		p = &projection{fresh: true}
		p.Name = claim.Name
	}
	if p.held(now) && !claim.Owned(p.instance) {
		return nil, &checkpoint.HeldError{Name: claim.Name, Owner: p.Owner, Expires: p.Expires.Sub(now)}
	}
	if !p.fresh && !claim.Fits(p.Fingerprint, p.Position) {
		return nil, &checkpoint.DefinitionError{
			Name: claim.Name, Stored: p.Fingerprint, Wants: claim.Fingerprint, Position: p.Position,
		}
	}
	died := !p.Expires.IsZero() && p.instance != claim.Instance // its lease has run out
	marker := p.marker
	if p.marker = (checkpoint.Marker{}); died {
		p.deaths++
	} else {
		marker = checkpoint.Marker{}
	}
	p.Epoch++
	p.instance = claim.Instance
	p.Owner, p.Expires, p.Updated = claim.Owner, now.Add(claim.TTL), now
	if claim.Fingerprint != "" {
		p.Fingerprint = claim.Fingerprint
	}
	if p.fresh {
		p.Position, p.fresh = claim.Start, false
	}
	s.projections[claim.Name] = p
	return &lease{
		store: s, name: claim.Name, epoch: p.Epoch, ttl: claim.TTL, position: p.Position, last: p.LastEvent,
		deaths: p.deaths, marker: marker,
	}, nil
}

func (p *projection) held(now time.Time) bool { return !p.Expires.IsZero() && p.Expires.After(now) }

// List implements [checkpoint.Store].
func (s *Store) List(ctx context.Context) ([]checkpoint.Status, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	rows := make([]division.Row, 0, len(s.projections))
	for _, p := range s.projections {
		rows = append(rows, s.row(p))
	}
	return division.List(rows), nil
}

// row is what a projection is for [division]. The lock is held.
func (s *Store) row(p *projection) division.Row {
	r := division.Row{Status: p.Status, Base: p.base, Shards: max(1, p.divided), Fresh: p.fresh}
	r.Held = p.held(s.now())
	return r
}

// Reset implements [checkpoint.Store].
func (s *Store) Reset(ctx context.Context, name string, tables ...*checkpoint.Table) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p, now := s.projections[name], s.now()
	if p == nil || p.base != "" {
		return fmt.Errorf("reset %q: %w", name, checkpoint.ErrUnknownProjection)
	}
	shards := s.shardsOf(name)
	for _, p := range append(shards, p) {
		if p.held(now) {
			return &checkpoint.HeldError{Name: p.Name, Owner: p.Owner, Expires: p.Expires.Sub(now)}
		}
	}
	for _, def := range tables {
		if err := def.Validate(); err != nil {
			return err
		}
		if s.tables[def.Name] == nil {
			_, err := s.table(def)
			return err
		}
	}
	for _, def := range tables {
		live := s.tables[def.Name].def
		if diff := s.compare(def); !diff.Empty() {
			live = def
		}
		s.tables[def.Name] = newTable(live)
	}
	epoch := p.Epoch
	for _, shard := range shards {
		epoch = max(epoch, shard.Epoch)
		delete(s.projections, shard.Name)
	}
	*p = projection{fresh: true, Status: checkpoint.Status{Name: name, Epoch: epoch + 1, Updated: now}}
	return nil
}

// Rows implements [checkpoint.Store].
func (s *Store) Rows(ctx context.Context, def *checkpoint.Table, limit int, yield func(row []any) bool) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	t, err := s.table(def)
	var rows [][]any
	if err == nil {
		rows = t.sorted(limit, t.order(def))
	}
	s.mu.Unlock()
	for _, row := range rows {
		if !yield(row) {
			break
		}
	}
	return err
}

// Count implements [checkpoint.Store].
func (s *Store) Count(ctx context.Context, def *checkpoint.Table) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	t, err := s.table(def)
	if err != nil {
		return 0, err
	}
	return int64(len(t.rows)), nil
}

// Classify implements [checkpoint.Store].
func (s *Store) Classify(err error) checkpoint.Class { return checkpoint.Classify(err) }

// Close makes every later call fail with [checkpoint.ErrClosed]. It is idempotent.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
