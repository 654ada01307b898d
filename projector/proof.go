package projector

import (
	"context"

	"github.com/photonpump/projector/checkpoint"
)

// An event whose failure an outage may have caused is held back until another event has been handled. It then has its last
// attempt: what it needs may have come back in the meantime, and who fails once more fails by itself.

// holdsBack reports whether events are held back before their last attempt. With a policy of a single one there is none to
// follow.
func (s *session) holdsBack() bool {
	return s.cfg.retry.Attempts > 1 && s.cfg.retry.Then == ActionPark && s.parking != nil && !s.whole
}

// verify deals with events in hand that were held back, as there is what shows whether they may be parked.
func (s *session) verify(ctx context.Context) error {
	s.quiesce()
	s.rollback()
	all := s.hand.cut(s.p.source, s.applied)
	s.applied = 0
	if !s.proves(&all, all.len()) { // nothing more will come
		s.trust(&all)
	}
	return s.mend(ctx, all, 0, nil)
}

// trust puts the events of a chunk that were held back to their last attempt.
func (s *session) trust(c *chunk) {
	for i := range c.diverted {
		if d := &c.diverted[i]; d.doubtful {
			s.final[d.event.RecordID()] = true
		}
	}
	s.restore(c)
}

// prove tries the first event of a chunk behind those that are held back, without committing anything. If it can be handled,
// they are put to their last attempt. Otherwise the error says so of that event.
func (s *session) prove(ctx context.Context, c *chunk) error {
	head := c.cut(s.p.source, s.lead(c)+1)
	err := s.queue(&head, 0, head.len())
	if err == nil {
		err = s.rehearse(ctx, &head)
	}
	s.rollback()
	c.glue(head)
	if err == nil {
		s.trust(c)
	}
	return err
}

// rehearse folds and calls a chunk, and rolls back what its handlers have done in their transaction.
func (s *session) rehearse(ctx context.Context, c *chunk) error {
	if err := s.fold(ctx, c, 0, c.len()); err != nil {
		return err
	}
	for i := range c.len() {
		if err := s.effect(ctx, c, i); err != nil {
			return err
		}
	}
	if !s.wantsTx(c) {
		return nil
	}
	return s.inTx(ctx, c, func(tx checkpoint.Tx) error { rollback(ctx, tx); return nil })
}
