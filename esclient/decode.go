package esclient

import (
	"bytes"
	"strconv"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// decoder makes events of records. It is used by one goroutine at a time.
type decoder struct {
	streams, types interner
}

// event fills e with what r holds. The bytes of the event are one allocation of its own.
func (d *decoder) event(e *Event, r *wire.Resolved) {
	*e = Event{}
	if r.HasLink {
		e.Link = d.link(r)
	}
	if r.Positions {
		e.Position = Position{Commit: r.Commit, Prepare: r.Prepare}
	}
	if !r.HasEvent {
		if e.Link != nil {
			e.Number, e.Stream = parseLink(e.Link.Data)
		}
		return
	}
	w := &r.Event
	e.ID, _ = wire.ID(w.ID)
	e.Type = d.types.text(w.Type)
	e.Stream = d.streams.text(w.Stream)
	e.Number = w.Number
	e.JSON = w.ContentType == wire.ContentJSON
	e.Created = created(w)
	e.Data, e.Metadata = own(w)
}

func (d *decoder) link(r *wire.Resolved) *Link {
	l := &Link{
		Stream: d.streams.text(r.Link.Stream), Number: r.Link.Number, Created: created(&r.Link), Unresolved: !r.HasEvent,
	}
	l.ID, _ = wire.ID(r.Link.ID)
	l.Data, l.Metadata = own(&r.Link)
	return l
}

// own copies data and metadata out of the frame, into one allocation.
func own(w *wire.Record) (data, metadata []byte) {
	n := len(w.Data)
	if n+len(w.Metadata) == 0 {
		return []byte{}, nil
	}
	b := make([]byte, n+len(w.Metadata))
	copy(b, w.Data)
	copy(b[n:], w.Metadata)
	if len(w.Metadata) == 0 {
		return b, nil
	}
	return b[:n:n], b[n:]
}

// The .NET epoch, 0001-01-01, in ticks of 100 ns before the Unix epoch, and what of a tick count is not ticks.
const (
	ticksToUnix = 621355968000000000
	ticksMask   = 1<<62 - 1
)

func created(w *wire.Record) time.Time {
	switch {
	case w.CreatedTicks != 0:
		ticks := w.CreatedTicks&ticksMask - ticksToUnix
		return time.Unix(ticks/1e7, ticks%1e7*100).UTC()
	case w.CreatedMillis != 0:
		return time.UnixMilli(w.CreatedMillis).UTC()
	}
	return time.Time{}
}

// parseLink reads number@stream as far as it is one.
func parseLink(data []byte) (number int64, stream string) {
	head, tail, ok := bytes.Cut(data, []byte{'@'})
	if !ok {
		return 0, ""
	}
	number, err := strconv.ParseInt(string(head), 10, 64)
	if err != nil {
		return 0, ""
	}
	return number, string(tail)
}

// interner gives equal texts one string. Streams and types repeat from event to event, and so cost no allocation.
type interner struct {
	last  string
	known map[string]string
}

// maxInterned bounds the texts an interner knows.
const maxInterned = 4096

func (in *interner) text(b []byte) string {
	if string(b) == in.last {
		return in.last
	}
	s, ok := in.known[string(b)]
	if !ok {
		if in.known == nil || len(in.known) >= maxInterned {
			in.known = map[string]string{}
		}
		s = string(b)
		in.known[s] = s
	}
	in.last = s
	return s
}
