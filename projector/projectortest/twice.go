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
	failed map[commitFrom]bool // these commits have failed once
}

type commitFrom struct {
	lease string
	at    checkpoint.Position
}

func newTwice(store checkpoint.Store) checkpoint.Store {
	t := &twice{Store: store, failed: map[commitFrom]bool{}}
	if shards, ok := store.(checkpoint.ShardStore); ok {
		return &shardTwice{ShardStore: shards, twice: t}
	}
	if parking, ok := store.(checkpoint.ParkingStore); ok {
		return &parkingTwice{ParkingStore: parking, twice: t}
	}
	return t
}

// fail reports whether this commit is to fail.
func (t *twice) fail(lease checkpoint.Lease, c checkpoint.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := commitFrom{lease.Name(), c.From}
	if c.From == c.To || t.failed[from] {
		return nil
	}
	t.failed[from] = true
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
	if err := l.t.fail(l, c); err != nil {
		return err
	}
	return l.Lease.Commit(ctx, c)
}

func (l *twiceLease) Begin(ctx context.Context) (checkpoint.Tx, error) {
	tx, err := l.Lease.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &twiceTx{tx, l}, nil
}

type twiceTx struct {
	checkpoint.Tx
	lease *twiceLease
}

func (tx *twiceTx) Commit(ctx context.Context, c checkpoint.Change) error {
	if err := tx.lease.t.fail(tx.lease, c); err != nil {
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

// shardTwice is twice for a store that divides projections.
type shardTwice struct {
	checkpoint.ShardStore
	twice *twice
}

func (s *shardTwice) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	return s.twice.Acquire(ctx, claim)
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
