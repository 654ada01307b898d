package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/projector/source"
)

// carefully applies a chunk that has failed with err, which says to which of its first tried events it belongs, or that it
// is one of them. Those before the bad event are committed, the bad one is tried again as the policy says, and the rest
// follows. It returns nil when all is done, errStopping when it was asked to stop before.
func (s *session) carefully(ctx context.Context, c *chunk, tried int, err error) error {
	for err != nil || !c.empty() {
		if s.soft.Err() != nil {
			return errStopping
		}
		index, somewhere := whose(err)
		switch {
		case err == nil:
			tried = len(c.events)
			err = s.part(ctx, c, tried)
		case index > 0:
			if e := s.part(ctx, c, index); e != nil {
				tried, err = index, e
				continue
			}
			tried, err = tried-index, first(err)
		case index == 0, somewhere && tried == 1:
			one := c.cut(s.p.source, 1)
			if err = s.settle(ctx, &one, err); err != nil {
				return err
			}
		case somewhere:
			tried /= 2
			err = s.part(ctx, c, tried)
		default:
			return err
		}
	}
	return nil
}

// part applies the first n events of c, and takes them off if that succeeds.
func (s *session) part(ctx context.Context, c *chunk, n int) error {
	part := c.cut(s.p.source, n)
	err := s.apply(ctx, &part)
	if err != nil {
		c.glue(part)
	}
	return err
}

// first makes the error of an event, of which all before it are done, that of the first event.
func first(err error) error {
	var event *EventError
	errors.As(err, &event)
	return &EventError{Class: event.Class, Err: event.Err}
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
