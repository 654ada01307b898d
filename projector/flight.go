package projector

import (
	"context"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// flight is a chunk on its way into the database.
type flight struct {
	chunk
	change checkpoint.Change
	done   chan error // one slot: the outcome, if it flies on its own
	began  time.Time
	took   time.Duration // until it landed

	gathered time.Duration // how long it took to gather the events
}

// launch commits what was applied, beside the work on what comes next.
func (s *session) launch(ctx context.Context) {
	f := s.prepare(s.hand.cut(s.p.source, s.applied))
	f.done = make(chan error, 1)
	s.base += int64(s.applied)
	s.submitted = max(0, s.submitted-s.applied)
	now := s.clock()
	f.gathered = now - s.since
	s.flight, s.applied, s.since = f, 0, now
	go func() { // ends with the transaction, whose outcome is always waited for
		err := s.commit(ctx, f)
		f.took = time.Since(f.began)
		f.done <- err
	}()
}

// lastFlight waits for what was still in flight when the work ended, so that it is known what has become of it.
func (s *session) lastFlight() {
	f := s.flight
	if f == nil {
		return
	}
	s.flight = nil
	if err := <-f.done; err != nil {
		s.unsure(f, err)
		return
	}
	s.landed(f)
}

// land waits for the flight, if there is one.
func (s *session) land(ctx context.Context) error {
	if s.flight == nil {
		return nil
	}
	return s.arrived(ctx, <-s.flight.done)
}

// arrived deals with the outcome of the flight.
func (s *session) arrived(ctx context.Context, err error) error {
	f := s.flight
	s.flight = nil
	if err != nil {
		s.quiesce()
	}
	if err == nil {
		s.gather.committed(f.len(), f.gathered, f.took)
		s.landed(f)
		s.show()
		return nil
	}
	s.unsure(f, err)
	if index, somewhere := whose(err); index < 0 && !somewhere {
		return err
	}
	s.rollback()
	s.applied = 0
	return s.mend(ctx, f.chunk, f.len(), err)
}
