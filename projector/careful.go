package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/projector/source"
)

// carefully applies a chunk with a bad event somewhere in it: those before it are committed, the bad one is tried again as
// the policy says, and the rest follows. It returns nil when all is done, errStopping when it was asked to stop before.
func (s *session) carefully(ctx context.Context, c *chunk) error {
	suspects := 0 // the bad event is among so many; 0 = no event is known to be bad
	for !c.empty() {
		if s.soft.Err() != nil {
			return errStopping
		}
		n := len(c.events)
		if suspects > 0 {
			n = max(1, suspects/2)
		}
		part := c.cut(s.p.source, n)
		err := s.apply(ctx, &part)
		index, somewhere := whose(err)
		switch {
		case err == nil:
			suspects = max(0, suspects-n)
			continue
		case somewhere && n > 1:
			suspects = n
		case index > 0:
			suspects = 2 * index // exactly those before it are next
		case somewhere || index == 0:
			one := part.cut(s.p.source, 1)
			c.glue(part)
			if err := s.settle(ctx, &one, err); err != nil {
				return err
			}
			suspects = 0
			continue
		default:
			return err
		}
		c.glue(part)
	}
	return nil
}

// whose returns the index of the event that an error belongs to, or -1; or that it is one of those tried.
func whose(err error) (index int, somewhere bool) {
	var event *EventError
	var some *someError
	switch {
	case errors.As(err, &event):
		return event.Index, false
	case errors.As(err, &some):
		return -1, true
	}
	return -1, false
}

// settle tries a single event that has failed until it is handled, or the policy ends it.
func (s *session) settle(ctx context.Context, one *chunk, err error) error {
	e := &one.events[0]
	delays := s.cfg.retry.delays()
	for attempts := 1; ; {
		class := classifyHandler(s.store, err)
		var some *someError
		if errors.As(err, &some) {
			class = some.class
		}
		reason := cause(err)
		s.board.failed(class, fmt.Errorf("%s: %w", describe(e), reason))
		last := class == ClassDecode || class == ClassHandler && attempts >= s.cfg.retry.Attempts
		switch {
		case class == ClassConfiguration, last && s.cfg.retry.Then == ActionStop:
			return &StoppedError{Projection: s.p.name, Event: e, Class: class, Attempts: attempts, Err: reason}
		case last:
			return s.skip(ctx, one, class, reason)
		}
		s.wait(e, class, attempts, delays.NextBackOff(), reason)
		if s.soft.Err() != nil {
			return errStopping
		}
		if class == ClassHandler {
			attempts++
		}
		if err = s.apply(ctx, one); err == nil {
			s.show()
			return nil
		}
		if index, somewhere := whose(err); index < 0 && !somewhere {
			return err
		}
	}
}

// cause strips the wrapping that only says to which event an error belongs.
func cause(err error) error {
	var event *EventError
	if errors.As(err, &event) {
		return event.Err
	}
	var some *someError
	if errors.As(err, &some) {
		return some.err
	}
	return err
}

// wait lets the delay before the next attempt pass, or returns early when it is time to stop.
func (s *session) wait(e *source.Event, class Class, attempts int, delay time.Duration, err error) {
	state, reason := StateRetrying, fmt.Sprintf("%s: attempt %d of %d failed, next in %v: %v",
		describe(e), attempts, s.cfg.retry.Attempts, delay.Round(time.Millisecond), err)
	if class == ClassInfrastructure {
		state, reason = StatePaused, fmt.Sprintf("%s: next attempt in %v: %v", describe(e), delay.Round(time.Millisecond), err)
	}
	s.log.Warn("event failed", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number,
		keyAttempt, attempts, keyDelay, delay, keyErr, err)
	s.state(state, reason)
	sleep(s.soft, delay)
}

// skip moves the position past an event without handling it.
func (s *session) skip(ctx context.Context, one *chunk, class Class, err error) error {
	e := &one.events[0]
	s.log.Error("event skipped", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number, keyReason, class.String(), keyErr, err)
	f := s.prepare(*one)
	f.change.Handled, f.change.Ignored, f.change.Writes = 0, 1, nil
	if err := s.commitError(s.lease.Commit(ctx, f.change)); err != nil {
		s.unsure(f, err)
		return err
	}
	f.change.Ignored = 0
	s.landed(f, 1)
	s.show()
	return nil
}
