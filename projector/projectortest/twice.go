package projectortest

import (
	"context"
	"errors"
	"sync"

	"github.com/photonpump/projector/checkpoint"
)

var errTwice = errors.New("the test has every commit fail once")

// twice is a store whose commits fail before they are applied, each the first time. What was done for them is done again.
type twice struct {
	checkpoint.Store
	mu     sync.Mutex
	failed map[checkpoint.Position]bool // commits from there have failed once
}

func newTwice(store checkpoint.Store) checkpoint.Store {
	t := &twice{Store: store, failed: map[checkpoint.Position]bool{}}
	if parking, ok := store.(checkpoint.ParkingStore); ok {
		return &parkingTwice{ParkingStore: parking, twice: t}
	}
	return t
}

// fail reports whether this commit is to fail.
func (t *twice) fail(c checkpoint.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.From == c.To || t.failed[c.From] {
		return nil
	}
	t.failed[c.From] = true
	return errTwice
}

func (t *twice) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	lease, err := t.Store.Acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	return t.wrap(lease), nil
}

func (t *twice) wrap(lease checkpoint.Lease) checkpoint.Lease {
	l := &twiceLease{lease, t}
	if parking, ok := lease.(checkpoint.ParkingLease); ok {
		return &parkingTwiceLease{ParkingLease: parking, twiceLease: l}
	}
	return l
}

type twiceLease struct {
	checkpoint.Lease
	t *twice
}

func (l *twiceLease) Commit(ctx context.Context, c checkpoint.Change) error {
	if err := l.t.fail(c); err != nil {
		return err
	}
	return l.Lease.Commit(ctx, c)
}

func (l *twiceLease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	tx, err := l.Lease.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &twiceTx{tx, l.t}, nil
}

type twiceTx struct {
	checkpoint.Tx
	t *twice
}

func (tx *twiceTx) Commit(ctx context.Context, c checkpoint.Change) error {
	if err := tx.t.fail(c); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Tx.Commit(ctx, c)
}

// parkingTwice is twice for a store that keeps parked events.
type parkingTwice struct {
	checkpoint.ParkingStore
	twice *twice
}

func (p *parkingTwice) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	return p.twice.Acquire(ctx, claim)
}

type parkingTwiceLease struct {
	checkpoint.ParkingLease
	twiceLease *twiceLease
}

func (l *parkingTwiceLease) Commit(ctx context.Context, c checkpoint.Change) error {
	return l.twiceLease.Commit(ctx, c)
}

func (l *parkingTwiceLease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	return l.twiceLease.Begin(ctx)
}
