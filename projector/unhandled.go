package projector

import (
	"errors"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Unhandled is what is done about events that nobody wants or can have. They are counted as ignored unless they are parked.
type Unhandled uint8

// What is done about them.
const (
	UnhandledIgnore Unhandled = iota // passed over
	UnhandledWarn                    // passed over, with a line in the log
	UnhandledPark                    // put aside, to be handled when there is a handler
	UnhandledStop                    // the projection stops
)

func (u Unhandled) String() string {
	names := [...]string{"ignore", "warn", "park", "stop"}
	if int(u) >= len(names) {
		return fmt.Sprintf("Unhandled(%d)", uint8(u))
	}
	return names[u]
}

var (
	// ErrUnhandledType means that no part of a projection wants events of a type, and that this was not to happen.
	ErrUnhandledType = errors.New("no part of the projection handles this type of event")
	// ErrUnresolvedLink means that a link led to an event that is not there.
	ErrUnresolvedLink = errors.New("the link leads to an event that is not there")
	// ErrGap means that events of a stream were gone before they were read.
	ErrGap = errors.New("events are missing before this one: they were gone before they were read")
)

// checkEvents returns the first of n events that must not be passed over in silence, or could not be upcast, as an
// *EventError whose index counts from the first of the n.
func (s *session) checkEvents(c *chunk, from, n int) error {
	if len(s.broken)+len(s.after) == 0 && s.cfg.unhandled == UnhandledIgnore && s.cfg.links == UnhandledIgnore {
		return nil
	}
	for start, events := range c.slices(from, from+n) {
		for i := range events {
			if err := s.checkEvent(&events[i]); err != nil {
				return &EventError{Index: start + i - from, Class: classOf(err), Err: err}
			}
		}
	}
	return nil
}

func (s *session) checkEvent(e *source.Event) error {
	id := e.RecordID()
	if s.accepted[id] {
		return nil
	}
	unresolved := e.Link != nil && e.Link.Unresolved
	switch {
	case s.after[id] != nil:
		return s.after[id]
	case e.Type == "" && !unresolved:
		return nil // it is parked or skipped
	case s.broken[id] != nil:
		return s.broken[id]
	case unresolved:
		return s.passOver(e, s.cfg.links, ErrUnresolvedLink)
	case !s.handles(e.Type):
		return s.passOver(e, s.cfg.unhandled, ErrUnhandledType)
	}
	return nil
}

// restore makes all events of a chunk those they were, to be looked at again: that something was done about one of them is
// not true any more.
func (s *session) restore(c *chunk) {
	for i := range c.diverted {
		delete(s.accepted, c.diverted[i].event.RecordID())
	}
	c.restore()
}

// passOver does what was asked for with an event that nobody handles.
func (s *session) passOver(e *source.Event, u Unhandled, why error) error {
	switch u {
	case UnhandledWarn:
		s.accepted[e.RecordID()] = true
		s.log.Warn("event passed over", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number, keyReason, why.Error())
	case UnhandledPark:
		return Park(why)
	case UnhandledStop:
		return Stop(why)
	}
	return nil
}

// classOf is the class of what checkEvent returns.
func classOf(err error) Class {
	if o := outcomeOf(err); o != nil {
		return o.class()
	}
	return ClassDecode
}

// countGaps notices when the numbers of a stream jump.
func (s *session) countGaps(events []source.Event) {
	if s.shard != nil {
		return // they are noticed where all events are seen
	}
	for i := range events {
		missing, ok := s.last.missing(&events[i])
		if !ok {
			return
		}
		if missing > 0 {
			s.gap(&events[i], missing)
			if s.cfg.gaps == UnhandledStop {
				s.after[events[i].RecordID()] = Stop(gapError(missing))
			}
		}
	}
}

// gap notes that events are missing before this one.
func (t *task) gap(e *source.Event, missing int64) {
	t.board.gap(missing)
	if t.cfg.gaps == UnhandledWarn {
		t.log.Warn("events are missing in the stream", keyStream, e.Stream, keyNumber, e.Number, keyMissing, missing)
	}
}

func gapError(missing int64) error { return fmt.Errorf("%w: %d of them", ErrGap, missing) }

// lastSeen are the numbers of the last events seen, by stream; "" if the source has only one.
type lastSeen map[string]int64

// numbersAt are those of a position.
func numbersAt(p checkpoint.Position) lastSeen {
	if n, ok := p.Number(); ok {
		return lastSeen{"": n}
	}
	if last, ok := p.Numbers(); ok {
		return last
	}
	return lastSeen{}
}

// missing takes the next event, and returns how many are missing before it; ok is false if events of this source have no
// numbers.
func (ns lastSeen) missing(e *source.Event) (n int64, ok bool) {
	stream, number, ok := numbered(e)
	if !ok {
		return 0, false
	}
	last, known := ns[stream]
	ns[stream] = number
	if !known {
		return 0, true
	}
	return max(0, number-last-1), true
}

// numbered returns the number of an event, and its stream if the source has several; ok is false for positions in the log.
func numbered(e *source.Event) (stream string, n int64, ok bool) {
	if n, ok = e.Position.Number(); ok {
		return "", n, true
	}
	if _, _, log := e.Position.Log(); log {
		return "", 0, false
	}
	if e.Link != nil {
		return e.Link.Stream, e.Link.Number, true
	}
	return e.Stream, e.Number, true
}
