package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

// lease is a claim on one projection. Only released and writing are used by more than one goroutine.
type lease struct {
	store    *Store
	name     string
	epoch    int64
	ttl      time.Duration
	position checkpoint.Position
	last     checkpoint.EventRef
	deaths   int
	marker   checkpoint.Marker
	released atomic.Bool
	writing  atomic.Bool // a transaction of this lease holds the write lock
}

func (l *lease) Name() string                   { return l.name }
func (l *lease) Epoch() int64                   { return l.epoch }
func (l *lease) Position() checkpoint.Position  { return l.position }
func (l *lease) LastEvent() checkpoint.EventRef { return l.last }

func (l *lease) fenced() error {
	return fmt.Errorf("projection %q, epoch %d: %w", l.name, l.epoch, checkpoint.ErrFenced)
}

// Renew implements [checkpoint.Lease]. It does nothing while a transaction of this lease is open: nobody else can take
// the lease then, and the commit renews it.
func (l *lease) Renew(ctx context.Context) error {
	if l.writing.Load() && !l.released.Load() {
		return nil
	}
	return l.update(ctx, "renew", renewSQL, l.name, l.epoch, millis(l.ttl))
}

// Report implements [checkpoint.Lease].
func (l *lease) Report(ctx context.Context, state, reason string) error {
	return l.update(ctx, "report", reportSQL, l.name, l.epoch, plain.Text(state), plain.Text(reason))
}

// update runs a statement that changes the row of the lease if it still holds.
func (l *lease) update(ctx context.Context, what, query string, args ...any) error {
	if l.released.Load() {
		return l.fenced()
	}
	err := l.store.writer.tx(ctx, func() error {
		changed, err := l.store.writer.exec(query, args...)
		if err == nil && changed == 0 {
			return l.fenced()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Release implements [checkpoint.Lease].
func (l *lease) Release(ctx context.Context) error {
	if l.released.Swap(true) {
		return nil
	}
	err := l.store.writer.tx(ctx, func() error {
		_, err := l.store.writer.exec(releaseSQL, l.name, l.epoch)
		return err
	})
	if err != nil {
		l.released.Store(false) // may be tried again
		return fmt.Errorf("projection %q: release: %w", l.name, err)
	}
	return nil
}

// Commit implements [checkpoint.Lease].
func (l *lease) Commit(ctx context.Context, change checkpoint.Change) error {
	if l.released.Load() {
		return l.fenced()
	}
	err := l.store.writer.tx(ctx, func() error { return l.write(ctx, &change) })
	if err != nil {
		return fmt.Errorf("projection %q: commit: %w", l.name, err)
	}
	l.moved(&change)
	return nil
}

// write does all of a change in the open transaction, the row of the lease last.
func (l *lease) write(ctx context.Context, change *checkpoint.Change) error {
	for i := range change.Writes {
		if err := l.store.writeTable(ctx, &change.Writes[i]); err != nil {
			return err
		}
	}
	if err := l.park(&change.Parking); err != nil {
		return err
	}
	if err := l.remember(&change.Dedupe); err != nil {
		return err
	}
	id, position := eventRef(change.Last)
	changed, err := l.store.writer.exec(commitSQL, l.name, l.epoch, change.From.String(), change.To.String(), millis(l.ttl),
		change.Handled, change.Ignored, id, position, change.Skipped)
	if err == nil && changed != 1 {
		return l.fenced()
	}
	return err
}

func (l *lease) moved(change *checkpoint.Change) {
	l.position = change.To
	if change.Last != (checkpoint.EventRef{}) {
		l.last = change.Last
	}
}
