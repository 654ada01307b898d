package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

// lease is a claim on one projection. Its position and last event are those of its own last commit.
type lease struct {
	store    *Store
	name     string
	epoch    int64
	ttl      time.Duration
	position checkpoint.Position
	last     checkpoint.EventRef
	deaths   int
	marker   checkpoint.Marker
	released bool // guarded by store.mu
}

func (l *lease) Name() string                   { return l.name }
func (l *lease) Epoch() int64                   { return l.epoch }
func (l *lease) Position() checkpoint.Position  { return l.position }
func (l *lease) LastEvent() checkpoint.EventRef { return l.last }

// lock takes the lock of the store and returns the projection if the lease still holds. The caller unlocks store.mu.
func (l *lease) lock(ctx context.Context) (*projection, error) {
	if err := l.store.lock(ctx); err != nil {
		return nil, err
	}
	p := l.store.projections[l.name]
	if l.released || p == nil || p.Epoch != l.epoch {
		l.store.mu.Unlock()
		return nil, fmt.Errorf("projection %q, epoch %d: %w", l.name, l.epoch, checkpoint.ErrFenced)
	}
	return p, nil
}

// Load implements [checkpoint.Lease].
func (l *lease) Load(ctx context.Context, def *checkpoint.Table, keys [][]any) ([][]any, error) {
	canonical := make([][]any, len(keys))
	for i, key := range keys {
		var err error
		if canonical[i], err = def.CanonicalKey(key, i); err != nil {
			return nil, err
		}
	}
	if err := l.store.lock(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	t, err := l.store.table(def)
	if err != nil {
		return nil, err
	}
	order := t.order(def)
	rows := make([][]any, len(keys))
	for i, key := range canonical {
		rows[i] = t.load(key, order)
	}
	return rows, nil
}

// Commit implements [checkpoint.Lease].
func (l *lease) Commit(ctx context.Context, change checkpoint.Change) error {
	p, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	if p.Position != change.From {
		return fmt.Errorf("projection %q is at %v, not at %v: %w", l.name, p.Position, change.From, checkpoint.ErrFenced)
	}
	if id, known := p.handled.any(change.Dedupe.IDs); known {
		return fmt.Errorf("projection %q: event %v is handled already: %w", l.name, id, checkpoint.ErrFenced)
	}
	if err := l.write(change.Writes); err != nil {
		return err
	}
	now := l.store.now()
	p.Position, p.Expires, p.Updated = change.To, now.Add(l.ttl), now
	p.Handled += change.Handled
	p.Ignored += change.Ignored
	if change.Last != (checkpoint.EventRef{}) {
		p.LastEvent, l.last = change.Last, change.Last
	}
	l.position = change.To
	l.park(p, change)
	p.handled.add(&change.Dedupe, now)
	return nil
}

// write applies all writes or none.
func (l *lease) write(writes []checkpoint.TableWrite) error {
	var undos []undo
	for _, w := range writes {
		var err error
		if undos, err = l.writeTable(w, undos); err != nil {
			for _, u := range slices.Backward(undos) {
				u.apply()
			}
			return err
		}
	}
	return nil
}

func (l *lease) writeTable(w checkpoint.TableWrite, undos []undo) ([]undo, error) {
	t, err := l.store.table(w.Table)
	if err != nil {
		return undos, err
	}
	for i, key := range w.Deletes {
		canonical, err := w.Table.CanonicalKey(key, i)
		if err != nil {
			return undos, err
		}
		undos = append(undos, t.remove(canonical))
	}
	order := t.order(w.Table)
	for i, row := range w.Upserts {
		canonical, err := w.Table.CanonicalRow(row, i)
		if err != nil {
			return undos, err
		}
		u, err := t.put(t.permute(canonical, order))
		if err != nil {
			return undos, &checkpoint.RowError{Table: w.Table.Name, Row: i, Err: err}
		}
		undos = append(undos, u)
	}
	return undos, nil
}

// Begin implements [checkpoint.Lease]. Native of the transaction is nil: there is nothing to write through.
func (l *lease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	if _, err := l.lock(ctx); err != nil {
		return nil, err
	}
	l.store.mu.Unlock()
	return &tx{lease: l}, nil
}

// Renew implements [checkpoint.Lease].
func (l *lease) Renew(ctx context.Context) error {
	p, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	p.Expires = l.store.now().Add(l.ttl)
	return nil
}

// Report implements [checkpoint.Lease].
func (l *lease) Report(ctx context.Context, state, reason string) error {
	p, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	p.State, p.Reason, p.Updated = plain.Text(state), plain.Text(reason), l.store.now()
	return nil
}

// Release implements [checkpoint.Lease].
func (l *lease) Release(ctx context.Context) error {
	if err := l.store.lock(ctx); err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	if p := l.store.projections[l.name]; !l.released && p != nil && p.Epoch == l.epoch {
		p.Owner, p.Expires = "", time.Time{}
		p.deaths, p.marker = 0, checkpoint.Marker{}
	}
	l.released = true
	return nil
}

// tx is a transaction that does everything when it is committed.
type tx struct {
	lease *lease
	done  bool
}

func (t *tx) Native() any { return nil }

func (t *tx) Commit(ctx context.Context, change checkpoint.Change) error {
	if t.done {
		return checkpoint.ErrTxDone
	}
	t.done = true
	return t.lease.Commit(ctx, change)
}

func (t *tx) Rollback(context.Context) error {
	t.done = true
	return nil
}
