package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// DefaultMaxParked is how many events of a projection are parked at most, unless [WithMaxParked] says otherwise.
const DefaultMaxParked = 10_000

const (
	// breakerKeys is how many different ordering keys must fail in a row to be taken for an outage.
	breakerKeys = 3
	// breakerMaxKeys is how many of them are tried in a row before it is taken for granted.
	breakerMaxKeys = 32
)

var (
	errNotParkable = errors.New("cannot be parked")
	errParkedCap   = errors.New("too many events are parked")
)

// park puts the last event of a chunk aside. As long as nothing shows that other events can be handled, this is not
// committed: an outage must not fill the parked events.
func (s *session) park(ctx context.Context, one *chunk, f failure) error {
	if s.parking == nil {
		return fmt.Errorf("%w: the store does not keep parked events", errNotParkable)
	}
	index := one.len() - 1
	e := one.lasting(index)
	key, err := s.orderingKey(e)
	if err != nil {
		return notParkable(err, f.err)
	}
	class := f.class.String()
	if errors.Is(f.err, errDeaths) {
		if full, err := s.crashParked(); err != nil {
			return err
		} else if full {
			return &StoppedError{Projection: s.p.name, Event: e, Class: f.class, Attempts: f.attempts, Err: f.err}
		}
		class, f.doubtful = classCrash, false
	}
	if err := s.checkCap(one); err != nil {
		return &StoppedError{Projection: s.p.name, Event: e, Class: f.class, Attempts: f.attempts, Err: fmt.Errorf("%w: %w", err, f.err)}
	}
	if s.whole { // no other event can show anything: all wait
		s.inDoubt, f.doubtful = f.doubtful, false
	}
	s.accepted[e.RecordID()] = true
	one.divert(diverted{
		index: index, key: key, class: class, err: f.err, tries: f.tries, doubtful: f.doubtful,
	})
	if n := one.doubtful(); n > 0 {
		s.log.Warn("event held back, until another one shows that not everything fails", keyEventType, e.Type,
			keyStream, e.Stream, keyNumber, e.Number, keyOrderingKey, key, keyReason, class, keyErr, f.err)
		return s.breaker(one, n)
	}
	if err := s.apply(ctx, one); err != nil {
		return err
	}
	*one = chunk{from: one.to, to: one.to}
	s.show()
	return nil
}

// checkCap reports whether another event may be parked. With a retention by count the oldest go instead.
func (s *session) checkCap(c *chunk) error {
	if s.cfg.retention.Count > 0 {
		return nil
	}
	n := int64(len(c.diverted)) + s.countParked()
	if s.flight != nil {
		n += int64(len(s.flight.diverted))
	}
	if n >= int64(s.cfg.maxParked) {
		return fmt.Errorf("%w: %d", errParkedCap, n)
	}
	return nil
}

// breaker pauses when several different keys have failed in a row. Then all of them are tried once more, and one key more
// each time, until one succeeds: that parks the others.
func (s *session) breaker(c *chunk, keys int) error {
	if keys < min(breakerKeys+s.opened, breakerMaxKeys) {
		return nil
	}
	s.opened++
	delay := s.probes.NextBackOff()
	reason := s.outage(c, keys, delay)
	s.log.Error("too many failures in a row", keyDelay, delay, keyReason, reason)
	s.state(StatePaused, reason)
	if !sleep(s.soft, delay) {
		return errStopping
	}
	s.probing = true
	s.restore(c)
	return nil
}

// queue finds events that must not be passed over, see checkEvents, and diverts those of n events that belong to keys which are parked already: they wait behind the others. The index of
// an *EventError counts from the first of the n.
func (s *session) queue(c *chunk, from, n int) error {
	if err := s.checkEvents(c, from, n); err != nil {
		return err
	}
	if len(s.parked) == 0 && len(c.diverted) == 0 && (s.flight == nil || len(s.flight.diverted) == 0) {
		return nil
	}
	waiting, seen := map[string]bool{}, 0
	if s.flight != nil {
		for i := range s.flight.diverted {
			waiting[s.flight.diverted[i].key] = true
		}
	}
	for i := from; i < from+n; i++ {
		for ; seen < len(c.diverted) && c.diverted[seen].index < i; seen++ {
			waiting[c.diverted[seen].key] = true
		}
		e := c.at(i)
		if !s.handles(e.Type) {
			continue
		}
		key, err := s.orderingKey(e)
		if err != nil {
			return keyError(i-from, err)
		}
		if s.parked[key] == 0 && !waiting[key] {
			continue
		}
		if err := s.checkCap(c); err != nil {
			return &EventError{Index: i - from, Class: ClassConfiguration, Err: err}
		}
		c.divert(diverted{index: i, key: key})
	}
	return nil
}

// loadParked learns what is parked.
func (s *session) loadParked() error {
	lease, ok := s.lease.(checkpoint.ParkingLease)
	if !ok {
		return nil
	}
	keys, err := lease.ParkedKeys(s.soft)
	if err != nil {
		return fmt.Errorf("load the keys of parked events: %w", err)
	}
	s.parking, s.parked = lease, keys
	s.overfull = s.cfg.retention != Retention{} && len(keys) > 0
	s.showParked()
	return nil
}

func (s *session) showParked() { s.board.parked(s.countParked(), len(s.parked)) }

func (s *session) countParked() int64 {
	var n int64
	for _, of := range s.parked {
		n += of
	}
	return n
}

// unproven reports whether all that was applied are events that perhaps need not be parked.
func (s *session) unproven() bool {
	return s.hand.doubtful() > 0 && !s.proves(&s.hand, s.applied)
}

// mend is carefully, and takes what that leaves into the hand again.
func (s *session) mend(ctx context.Context, left chunk, tried int, err error) error {
	s.restore(&s.hand) // what waits behind events of left may not have to afterwards
	if err := s.carefully(ctx, &left, tried, err); err != nil {
		return err
	}
	if s.held() {
		s.hand.glue(left)
		s.applied = 0
		return s.halt(ctx, s.inDoubt)
	}
	if left.len() == 0 {
		s.show()
		return nil
	}
	s.applied = left.len()
	s.hand.glue(left)
	delay := s.probes.NextBackOff()
	s.probeAt = time.Now().Add(delay)
	if s.opened > 0 {
		s.state(StatePaused, s.outage(&left, left.doubtful(), delay))
	} else {
		s.state(StateRetrying, fmt.Sprintf("%s; no other event has shown yet that it is not an outage, next attempt in %v at the latest",
			left.lastFailure(), delay.Round(time.Millisecond)))
	}
	return nil
}

// outage says why the breaker is open.
func (s *session) outage(c *chunk, keys int, delay time.Duration) string {
	return fmt.Sprintf("%d different keys failed in a row, so it may not be the events; next attempt in %v: %s",
		keys, delay.Round(time.Millisecond), c.lastFailure())
}

// probe tries the events again that were held back.
func (s *session) probe(ctx context.Context) error {
	s.quiesce()
	s.rollback()
	s.probing, s.applied = true, 0
	all := s.hand.cut(s.p.source, s.hand.len())
	s.restore(&all)
	return s.mend(ctx, all, 0, nil)
}
