package projector

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/projector/source"
)

// tries are the failed attempts at one event, however often it was put back between them. Outages count no attempt.
type tries struct {
	count       int
	first, last time.Time
}

// note counts a failed attempt and returns all of them.
func (s *session) note(e *source.Event, f failure) tries {
	id := e.RecordID()
	t := s.tries[id]
	if f.class == ClassInfrastructure || errors.Is(f.err, errDeaths) {
		return t
	}
	t.count, t.last = t.count+1, time.Now()
	if t.first.IsZero() {
		t.first = t.last
	}
	s.tries[id] = t
	return t
}

// died notes that processes have died of an event.
func (s *session) died(id uuid.UUID, deaths int) {
	t := s.tries[id]
	t.count = max(t.count, deaths)
	s.tries[id] = t
}
