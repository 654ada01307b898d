package projector

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

const (
	// pruneEvery is how often rows are looked for that are too old for their tables.
	pruneEvery = time.Minute
	// pruneRows is how many rows of a table are deleted at most before events go on.
	pruneRows = 1000
)

// checkPrune refuses what would make rows depend on chance: a shard knows only how far its own events are.
func (p *Projection) checkPrune(shards int) error {
	for _, t := range p.Tables() {
		if t.Prune != nil && shards > 1 {
			return fmt.Errorf("%w: Shards: table %q is pruned by the time of events, which differs between shards: want one or the other", ErrInvalidOption, t.Name)
		}
	}
	return nil
}

// pruning returns when to look for rows that are too old, nil for never, and what ends that.
func (s *session) pruning() (<-chan time.Time, func()) {
	if !slices.ContainsFunc(s.p.Tables(), func(t *checkpoint.Table) bool { return t.Prune != nil }) {
		return nil, func() {}
	}
	s.aged = true
	t := time.NewTicker(pruneEvery)
	return t.C, t.Stop
}

// prunes reports whether it is time to look for rows that are too old.
func (s *session) prunes() bool {
	select {
	case <-s.pruneAt:
		s.aged = true
	default:
	}
	return s.aged && s.flight == nil
}

// prune deletes some of the rows that are too old. Their age is counted in the time of events; if all are handled, the clock
// of the database goes on where they end.
func (s *session) prune(ctx context.Context) error {
	now := s.newest
	if s.live && s.hand.empty() {
		now = time.Time{}
	} else if now.IsZero() {
		return nil // until the first event
	}
	s.aged = false
	for _, t := range s.p.Tables() {
		n, err := s.lease.Prune(ctx, t, now, pruneRows)
		if err != nil {
			return fmt.Errorf("prune table %q: %w", t.Name, err)
		}
		s.aged = s.aged || n == pruneRows // there may be more; events go on first
		if n > 0 {
			s.log.Debug("rows pruned", keyTable, t.Name, keyRows, n)
		}
	}
	return nil
}

// pruneAll deletes what is too old when the target is reached.
func (s *session) pruneAll(ctx context.Context) error {
	if s.pruneAt == nil || s.newest.IsZero() {
		return nil
	}
	for s.aged = true; s.aged && ctx.Err() == nil; {
		if err := s.prune(ctx); err != nil {
			return err
		}
	}
	return nil
}
