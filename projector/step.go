package projector

import (
	"context"
	"errors"
)

// maxEffects is how many events are queued at once if one of them may have a side effect.
const maxEffects = 256

// step folds and calls the next events in hand. Those with side effects go one by one, and the step ends when what is done can
// be committed.
func (s *session) step(ctx context.Context) error {
	if s.singles > 0 {
		return s.single(ctx)
	}
	n := min(s.todo(), s.gather.size-s.applied)
	if len(s.p.effects) > 0 {
		n = min(n, maxEffects)
	}
	end := s.applied + n
	if err := s.queue(&s.hand, s.applied, n); err != nil {
		return s.trouble(ctx, shiftIndex(err, s.applied), end)
	}
	if tried, err := s.advance(ctx, end); err != nil {
		return s.trouble(ctx, err, tried)
	}
	return nil
}

// advance folds and calls the events in hand, up to before end at most. It returns how many in hand were tried.
func (s *session) advance(ctx context.Context, end int) (tried int, err error) {
	s.caller.rows(len(s.folds) == 0)
	defer s.caller.rows(false)
	for done := false; !done; done = s.applied >= end || s.interrupted() {
		next, effect := s.nextEffect(end)
		if err := s.fold(ctx, &s.hand, s.applied, next); err != nil {
			return next, shiftIndex(err, s.applied)
		}
		if effect {
			if err := s.effect(ctx, &s.hand, next-1); err != nil {
				return next, err
			}
		}
		s.applied = next
	}
	return s.applied, nil
}

// nextEffect returns up to before which index, end at most, to go on until a side effect has been had, and whether there is
// one.
func (s *session) nextEffect(end int) (next int, effect bool) {
	if len(s.p.effects) == 0 {
		return end, false
	}
	for i := s.applied; i < end; i++ {
		if s.hasEffect(&s.hand, i) {
			return i + 1, true
		}
	}
	return end, false
}

// interrupted reports whether something else comes before the next side effect.
func (s *session) interrupted() bool {
	switch {
	case len(s.keeper.commands) > 0, s.soft.Err() != nil:
		return true
	case s.unproven(): // cannot be committed before something has been handled
		return false
	case s.flight != nil:
		return len(s.flight.done) > 0
	}
	return s.caller.now-s.since >= s.patience()
}

// shiftIndex makes the index in the error of an event count from elsewhere.
func shiftIndex(err error, by int) error {
	if event := (*EventError)(nil); errors.As(err, &event) {
		return &EventError{Index: event.Index + by, Class: event.Class, Err: event.Err}
	}
	return err
}

// trouble deals with an error among the first n events in hand. All that was folded is forgotten, so it begins with those
// applied before.
func (s *session) trouble(ctx context.Context, err error, n int) error {
	if index, somewhere := whose(err); index < 0 && !somewhere {
		return err
	}
	first := s.hand.from // a flight that fails puts events in front
	if err := s.land(ctx); err != nil {
		return err
	}
	if s.hand.from != first {
		return nil // they come up again
	}
	s.rollback()
	bad := s.hand.cut(s.p.source, n)
	s.applied = 0
	return s.mend(ctx, bad, n, err)
}
