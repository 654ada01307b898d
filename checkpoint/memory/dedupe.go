package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

var (
	_ checkpoint.DedupeStore = (*Store)(nil)
	_ checkpoint.DedupeLease = (*lease)(nil)
)

// handled are the ids of the events that a projection has handled.
type handled struct {
	known map[uuid.UUID]bool
	order []remembered // oldest first
}

type remembered struct {
	id uuid.UUID
	at time.Time
}

// any returns one of ids that is known.
func (h *handled) any(ids []uuid.UUID) (uuid.UUID, bool) {
	for _, id := range ids {
		if h.known[id] {
			return id, true
		}
	}
	return uuid.Nil, false
}

func (h *handled) add(d *checkpoint.Dedupe, now time.Time) {
	if len(d.IDs) == 0 {
		return
	}
	if h.known == nil {
		h.known = make(map[uuid.UUID]bool)
	}
	for _, id := range d.IDs {
		h.known[id] = true
		h.order = append(h.order, remembered{id, now})
	}
	for n := d.Forget(); n > 0 && h.order[0].at.Before(now.Add(-d.Window)); n-- {
		delete(h.known, h.order[0].id)
		h.order = h.order[1:]
	}
}

// Known implements [checkpoint.DedupeLease].
func (l *lease) Known(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	p, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	known := make(map[uuid.UUID]bool)
	for _, id := range ids {
		if p.handled.known[id] {
			known[id] = true
		}
	}
	return known, nil
}

// Remembered implements [checkpoint.DedupeStore].
func (s *Store) Remembered(ctx context.Context, projection string) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	p := s.projections[projection]
	if p == nil {
		return 0, fmt.Errorf("remembered events of %q: %w", projection, checkpoint.ErrUnknownProjection)
	}
	return int64(len(p.handled.order)), nil
}
