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
	chunk          []byte // free rest of an allocation that several events share
}

// events appends the events of a page, where they are field num.
func (d *decoder) events(events []Event, payload []byte, num int32) ([]Event, error) {
	it := wire.ScanEvents(payload, num)
	for r := (wire.Resolved{}); it.Next(&r); { // on the stack: no write barriers while the collector runs
		if n := len(events); n < cap(events) {
			events = events[:n+1]
		} else {
			events = append(events, Event{})
		}
		d.event(&events[len(events)-1], &r)
	}
	return events, it.Err()
}

// event fills e with what r holds.
func (d *decoder) event(e *Event, r *wire.Resolved) {
	var link *Link
	if r.HasLink {
		link = d.link(r)
	}
	at := Position{}
	if r.Positions {
		at = Position{Commit: r.Commit, Prepare: r.Prepare}
	}
	if !r.HasEvent {
		*e = Event{Link: link, Position: at}
		if link != nil {
			e.Number, e.Stream = parseLink(link.Data)
		}
		return
	}
	w := &r.Event
	id, _ := wire.ID(w.ID)
	data, metadata := d.own(w)
	*e = Event{
		ID: id, Type: d.types.text(w.Type), Stream: d.streams.text(w.Stream), Number: w.Number, Data: data, Metadata: metadata,
		JSON: w.ContentType == wire.ContentJSON, Created: created(w), Link: link, Position: at,
	}
}

func (d *decoder) link(r *wire.Resolved) *Link {
	l := &Link{
		Stream: d.streams.text(r.Link.Stream), Number: r.Link.Number, Created: created(&r.Link), Unresolved: !r.HasEvent,
	}
	l.ID, _ = wire.ID(r.Link.ID)
	l.Data, l.Metadata = d.own(&r.Link)
	return l
}

// Small events share allocations of chunkSize bytes, so that keeping one event keeps less than that of others. Events of
// more than maxShared bytes have one of their own.
const (
	chunkSize = 4 << 10
	maxShared = 1 << 10
)

// own copies data and metadata out of the frame.
func (d *decoder) own(w *wire.Record) (data, metadata []byte) {
	n := len(w.Data)
	b := d.bytes(n + len(w.Metadata))
	copy(b, w.Data)
	copy(b[n:], w.Metadata)
	if len(w.Metadata) == 0 {
		return b[:n:n], nil
	}
	return b[:n:n], b[n:]
}

func (d *decoder) bytes(n int) []byte {
	if n > maxShared {
		return make([]byte, n)
	}
	if n > len(d.chunk) {
		d.chunk = make([]byte, chunkSize)
	}
	b := d.chunk[:n:n]
	d.chunk = d.chunk[n:]
	return b
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
