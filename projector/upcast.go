package projector

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
)

// upcast brings events to the version that handlers know, in a copy. The originals are kept until they are committed, since
// what is parked is what was received.
func (s *session) upcast(events []source.Event) []source.Event {
	u := s.cfg.upcasters
	if u == nil || !slices.ContainsFunc(events, func(e source.Event) bool { return u.Concerns(e.Type) }) {
		return events
	}
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		if !u.Concerns(e.Type) {
			continue
		}
		s.originals[e.RecordID()] = *e
		eventType, data, err := u.Upcast(e.Type, e.Data, e.Metadata)
		if err != nil {
			s.broken[e.RecordID()] = err
			continue
		}
		e.Type, e.Data = eventType, data
	}
	return events
}

// original is an event as it was received.
func (s *session) original(e source.Event) source.Event {
	if o, ok := s.originals[e.RecordID()]; ok {
		return o
	}
	return e
}

// forget drops what is kept of events until they are committed.
func (s *session) forget(c *chunk) {
	if len(s.originals)+len(s.accepted)+len(s.tries)+len(s.final) == 0 {
		return
	}
	for _, events := range c.slices(0, c.len()) {
		for i := range events {
			s.forgetEvent(events[i].RecordID())
		}
	}
}

func (s *session) forgetEvent(id uuid.UUID) {
	delete(s.originals, id)
	delete(s.broken, id)
	delete(s.accepted, id)
	delete(s.tries, id)
	delete(s.final, id)
}

// metadataCodec chooses a codec by a member of an event's metadata.
type metadataCodec struct {
	member   string
	registry *codec.Registry
}

// choose returns the codec that the metadata name, or fallback if they name none.
func (m *metadataCodec) choose(e *source.Event, fallback codec.Codec) (codec.Codec, error) {
	if m == nil || len(e.Metadata) == 0 {
		return fallback, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.Metadata, &members); err != nil || members[m.member] == nil {
		return fallback, nil //nolint:nilerr // metadata may be anything; what is not there is not there
	}
	var name string
	if err := json.Unmarshal(members[m.member], &name); err != nil {
		return nil, fmt.Errorf("metadata %q is %s, want the name of a codec", m.member, members[m.member])
	}
	return m.registry.Codec(name)
}
