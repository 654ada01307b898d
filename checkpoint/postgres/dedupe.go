package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

var (
	_ checkpoint.DedupeStore = (*Store)(nil)
	_ checkpoint.DedupeLease = (*lease)(nil)
)

// addDedupe remembers the events of a change and forgets some that are older than its window.
func (c *commit) addDedupe() {
	c.stored = -1
	d := &c.change.Dedupe
	if len(d.IDs) == 0 {
		return
	}
	sql := &c.lease.store.sql
	c.stored = len(c.script.statements)
	c.add(nil, sql.remember, c.lease.name, uuidArray(d.IDs))
	c.add(nil, sql.forget, c.lease.name, micros(d.Window), int64(d.Forget()))
}

func uuidArray(ids []uuid.UUID) encoded {
	a := newColumnArray(&checkpoint.Column{Type: checkpoint.Type{Base: checkpoint.UUID}}, 2*len(ids))
	for _, id := range ids {
		a.append(id)
	}
	return a.param()
}

// Known implements [checkpoint.DedupeLease].
func (l *lease) Known(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := l.store.exec(ctx, l.store.sql.known, l.name, uuidArray(ids))
	if err != nil {
		return nil, fmt.Errorf("projection %q: events handled before: %w", l.name, err)
	}
	known := make(map[uuid.UUID]bool, len(rows))
	for _, row := range rows {
		known[decodeUUID(row[0])] = true
	}
	return known, nil
}

// Remembered implements [checkpoint.DedupeStore].
func (s *Store) Remembered(ctx context.Context, projection string) (int64, error) {
	rows, err := s.exec(ctx, s.sql.remembered, projection)
	if err == nil && decodeInt(rows[0][0]) == 0 {
		err = s.mustExist(ctx, projection)
	}
	if err != nil {
		return 0, fmt.Errorf("remembered events of %q: %w", projection, s.explain(err))
	}
	return decodeInt(rows[0][0]), nil
}
