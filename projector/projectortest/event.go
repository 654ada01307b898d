package projectortest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// Event is an event to be handled.
type Event struct {
	Stream   string
	Type     string
	Body     any         // encoded by Codec; []byte is taken as it is
	Codec    codec.Codec // nil = JSON
	Metadata any         // encoded as JSON; []byte is taken as it is, nil is none
	ID       uuid.UUID   // made from the place of the event in the test if it is the zero value, the same in every run
	Created  time.Time   // 2000-01-01, a second later for each event, if it is the zero value
}

// epoch is when the first event was created.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// appendTo writes events to a log; i is the place of the first of them.
func appendTo(t testing.TB, log *sourcetest.Log, i int, events []Event) {
	t.Helper()
	for _, e := range events {
		log.Append(e.Stream, e.encode(t, i))
		i++
	}
}

func (e *Event) encode(t testing.TB, i int) source.Event {
	t.Helper()
	c := e.Codec
	if c == nil {
		c = codec.JSON()
	}
	out := source.Event{ID: e.ID, Type: e.Type, Created: e.Created, JSON: c.JSON()}
	if out.ID == uuid.Nil {
		out.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))
	}
	if out.Created.IsZero() {
		out.Created = epoch.Add(time.Duration(i) * time.Second)
	}
	out.Data = bytesOf(t, e, "body", c, e.Body)
	out.Metadata = bytesOf(t, e, "metadata", codec.JSON(), e.Metadata)
	return out
}

func bytesOf(t testing.TB, e *Event, what string, c codec.Codec, v any) []byte {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return v
	}
	data, err := c.Encode(nil, v)
	if err != nil {
		t.Fatalf("%s of event %q in stream %q: %v", what, e.Type, e.Stream, err)
	}
	return data
}
