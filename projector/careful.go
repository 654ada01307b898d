package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// carefully applies a chunk that has failed with err, which says to which of its first tried events it belongs, or that it
// is one of them. Those before the bad event are committed, the bad one is tried again as the policy says, and the rest
// follows.
//
// What is left in the chunk when it returns nil are events that are to be parked, but only once another event has shown
// that not everything fails; or events that wait behind one that is parked. It returns errStopping when it was asked to stop before it was done.
func (s *session) carefully(ctx context.Context, c *chunk, tried int, err error) error {
	for {
		if err == nil && s.held() {
			return nil
		}
		if err == nil {
			tried = c.len()
			err = s.queue(c, 0, tried)
		}
		if err == nil && !s.worthwhile(c) {
			return nil
		}
		if s.soft.Err() != nil {
			return errStopping
		}
		index, somewhere := whose(err)
		lead := s.lead(c)
		switch {
		case err == nil && c.doubtful() > 0 && s.holdsBack():
			tried, err = lead+1, s.prove(ctx, c)
		case err == nil:
			err = s.part(ctx, c, tried)
		case index > lead:
			if e := s.part(ctx, c, index); e != nil {
				tried, err = index, e
				continue
			}
			tried, err = tried-index, first(err)
		case index >= 0, somewhere && tried <= lead+1:
			if somewhere {
				index = lead
			}
			one := c.cut(s.p.source, index+1)
			err = s.settle(ctx, &one, err)
			if one.doubtful() == 0 {
				s.restore(c) // what waited may not have to any more
			}
			c.glue(one)
			if err != nil {
				return err
			}
		case somewhere:
			tried = max(lead+1, tried/2)
			err = s.part(ctx, c, tried)
		default:
			return err
		}
	}
}

// worthwhile reports whether applying c would do more than park what perhaps need not be parked.
func (s *session) worthwhile(c *chunk) bool {
	return !c.empty() && (c.doubtful() == 0 || s.proves(c, c.len()))
}

// proves reports whether one of the first n events is handled by somebody, so that its success shows that not everything
// fails.
func (s *session) proves(c *chunk, n int) bool { return s.firstHandled(c, n) < n }

// firstHandled returns the index of the first of n events that is handled by somebody, n if none is.
func (s *session) firstHandled(c *chunk, n int) int {
	for start, events := range c.slices(0, n) {
		for i := range events {
			if s.handles(events[i].Type) {
				return start + i
			}
		}
	}
	return n
}

// lead counts the events at the beginning of c that cannot be committed on their own, see worthwhile.
func (s *session) lead(c *chunk) int {
	if c.doubtful() == 0 {
		return 0
	}
	return s.firstHandled(c, c.len())
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

// first makes the error of an event, of which all before it are done, that of the first event.
func first(err error) error {
	var event *EventError
	errors.As(err, &event)
	return &EventError{Class: event.Class, Err: event.Err}
}

// settle tries the last event of a chunk, which has failed, until it is handled or the policy ends it. The chunk is empty
// then, unless the event is to be parked and that is still in doubt, or it has shown something of those held back.
func (s *session) settle(ctx context.Context, one *chunk, err error) error {
	e := one.at(one.len() - 1)
	delays := s.cfg.retry.delays()
	for attempts := 1; ; {
		f := s.failure(err, attempts)
		if s.final[e.RecordID()] && f.class == ClassHandler {
			f.final, f.doubtful = true, false
		}
		f.tries = s.note(e, f)
		s.board.failed(f.class, fmt.Errorf("%s: %w", describe(e), f.err))
		if f.final {
			return s.giveUp(ctx, one, f)
		}
		if f.delay < 0 {
			f.delay = delays.NextBackOff()
		}
		s.wait(e, f)
		if s.soft.Err() != nil {
			return errStopping
		}
		if f.class != ClassInfrastructure {
			attempts++
		}
		if one.doubtful() > 0 && s.holdsBack() {
			if err = s.prove(ctx, one); err == nil {
				return nil
			}
		} else if err = s.apply(ctx, one); err == nil {
			*one = chunk{from: one.to, to: one.to}
			s.show()
			return nil
		}
		if index, somewhere := whose(err); index < 0 && !somewhere {
			return err
		}
	}
}

// failure says what follows from a failed attempt.
type failure struct {
	class    Class
	err      error
	attempts int           // of this round
	tries    tries         // in all
	final    bool          // no other attempt
	then     Action        // if final
	doubtful bool          // others may fail in the same way
	delay    time.Duration // before the next attempt; negative = the policy says
}

func (s *session) failure(err error, attempts int) failure {
	f := failure{class: classifyHandler(s.store, err), err: cause(err), attempts: attempts, then: s.cfg.retry.Then, delay: -1}
	var some *someError
	if errors.As(err, &some) {
		f.class = some.class
	}
	limit := s.cfg.retry.Attempts
	if s.probing {
		limit = 1
	}
	switch f.class {
	case ClassConfiguration:
		f.final, f.then = true, ActionStop
	case ClassDecode:
		f.final, f.then = true, s.cfg.decodeThen()
	case ClassHandler:
		f.doubtful = s.outageCanCause(err)
		if f.doubtful && s.holdsBack() {
			limit = max(1, limit-1) // the last attempt follows when it is held back no more
		}
		f.final = attempts >= limit
	}
	if o := outcomeOf(err); o != nil {
		o.decide(&f)
	}
	if errors.Is(err, errDeaths) {
		f.final = true
	}
	return f
}

// outageCanCause reports whether an error may be the fault of something that other events need as well.
func (s *session) outageCanCause(err error) bool {
	var own *ownFault
	return !errors.As(err, &own) && s.store.Classify(err) != checkpoint.ClassData
}

// decide has a handler's own decision replace that of the policy.
func (o *Outcome) decide(f *failure) {
	switch o.kind {
	case outcomeSkip:
		f.final, f.then = true, ActionSkip
	case outcomePark:
		f.final, f.then, f.doubtful = true, ActionPark, false
	case outcomeRetry:
		f.delay = o.delay
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
func (s *session) wait(e *source.Event, f failure) {
	delay := f.delay.Round(time.Millisecond)
	state, reason := StateRetrying, fmt.Sprintf("%s: attempt %d of %d failed, next in %v: %v",
		describe(e), f.attempts, s.cfg.retry.Attempts, delay, f.err)
	if f.class == ClassInfrastructure {
		state, reason = StatePaused, fmt.Sprintf("%s: next attempt in %v: %v", describe(e), delay, f.err)
	}
	s.log.Warn("event failed", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number,
		keyAttempt, f.attempts, keyDelay, f.delay, keyErr, f.err)
	s.state(state, reason)
	sleep(s.soft, f.delay)
}

// giveUp does with the last event of a chunk what the policy says.
func (s *session) giveUp(ctx context.Context, one *chunk, f failure) error {
	e := one.lasting(one.len() - 1)
	if f.then == ActionPark {
		err := s.park(ctx, one, f)
		if !errors.Is(err, errNotParkable) {
			return err
		}
		f.then, f.err = ActionStop, fmt.Errorf("%w (%w)", f.err, err)
	}
	if f.then == ActionSkip {
		return s.skip(ctx, one, f)
	}
	return &StoppedError{Projection: s.p.name, Event: e, Class: f.class, Attempts: f.attempts, Err: f.err}
}

// skip moves the position past the last event of a chunk without handling it.
func (s *session) skip(ctx context.Context, one *chunk, f failure) error {
	e := one.edit(one.len() - 1)
	s.log.Error("event skipped", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number, keyReason, f.class.String(), keyErr, f.err)
	e.Type = "" // so that nobody handles it
	s.accepted[e.RecordID()] = true
	one.skipped++
	if one.doubtful() > 0 {
		return nil
	}
	err := s.apply(ctx, one)
	if err == nil {
		*one = chunk{from: one.to, to: one.to}
		s.show()
	}
	return err
}
