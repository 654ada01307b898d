package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// DefaultMaxDeaths is how often a process must die at the same event, unless [WithMaxDeaths] says otherwise.
const DefaultMaxDeaths = 3

const (
	// suspiciousDeaths is how many owners in a row must have died, without a commit between, before events are handled
	// one by one. The first may well have been killed.
	suspiciousDeaths = 2
	// maxCrashParked is how many events are parked because the process dies at them. After that it is probably not the
	// events.
	maxCrashParked = 2
	// classCrash is the class of an event at which the process dies.
	classCrash = "crash"
)

var errDeaths = errors.New("the process dies while it handles this event")

// suspectDeath prepares for an event that kills the process: what the dead owners had in hand is handled one by one, each
// event marked before.
func (s *session) suspectDeath() {
	if s.parking == nil {
		return
	}
	s.marker = s.parking.Marker()
	s.killer = s.marker.Event
	if s.parking.Deaths() < suspiciousDeaths && s.marker.Event == uuid.Nil {
		return
	}
	s.singles = 2 * s.gather.size // one batch in flight, one in hand: nobody gathers more before his first commit
	if s.cfg.workers > 1 {
		s.singles = 2 * s.cfg.batchSize
	}
	s.log.Warn("the last owners died without a commit; going on event by event", keyDeaths, s.parking.Deaths())
}

// single handles the next event in hand on its own.
func (s *session) single(ctx context.Context) error {
	if s.flight != nil {
		return s.arrived(ctx, <-s.flight.done)
	}
	s.singles--
	s.rollback()
	left := s.hand.cut(s.p.source, s.applied+1)
	e := left.at(s.applied)
	s.applied = 0
	deaths := 0
	if s.handles(e.Type) {
		if s.marker.Event != uuid.Nil && s.marker.Event == e.RecordID() {
			deaths = s.marker.Deaths + 1
		}
		s.marker = checkpoint.Marker{}
	}
	defer s.turnOfSuspect()()
	err := s.mark(ctx, e, deaths)
	if errors.Is(err, errDeaths) {
		s.died(e.RecordID(), deaths)
		err = &EventError{Index: left.len() - 1, Class: ClassHandler, Err: err}
	} else if err != nil {
		return err
	}
	return s.mend(ctx, left, left.len(), err)
}

// suspectPatience is how long an event that may kill the process waits for another one.
const suspectPatience = time.Second

// turnOfSuspect waits until no other task handles an event that may kill the process, so that the death is not put down to
// several: shards begin together, and would be at the same events each time. One that takes long does not hold up the others.
func (s *session) turnOfSuspect() (end func()) {
	t := time.NewTimer(suspectPatience)
	defer t.Stop()
	select {
	case s.opts.suspects <- struct{}{}:
		return func() { <-s.opts.suspects }
	case <-s.soft.Done():
	case <-t.C:
	}
	return func() {}
}

// mark notes which event is next, unless it has killed too many processes.
func (s *session) mark(ctx context.Context, e *source.Event, deaths int) error {
	if !s.handles(e.Type) {
		return nil
	}
	if deaths >= s.cfg.maxDeaths {
		return fmt.Errorf("%w: %d times", errDeaths, deaths)
	}
	if err := s.parking.Mark(ctx, checkpoint.Marker{Event: e.RecordID(), Deaths: deaths}); err != nil {
		return fmt.Errorf("mark the next event: %w", err)
	}
	return nil
}

// crashParked reports whether so many events are parked for crashes that something else must be wrong.
func (s *session) crashParked() (bool, error) {
	n, err := s.parking.CountParked(s.soft, classCrash)
	if err != nil {
		return false, fmt.Errorf("count events parked for crashes: %w", err)
	}
	return n >= maxCrashParked, nil
}
