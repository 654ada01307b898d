package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Record is an event as it is stored (EventRecord). Slices alias the frame it was decoded from.
type Record struct {
	Stream              []byte
	Number              int64
	ID                  []byte // 16 wire bytes, see [ID]
	Type                []byte
	ContentType         int32 // 1 = JSON
	MetadataContentType int32
	Data                []byte
	Metadata            []byte // nil = absent
	CreatedTicks        int64  // 100 ns since 0001-01-01 UTC; 0 = absent
	CreatedMillis       int64  // Unix; 0 = absent
}

// ContentJSON is the content type of JSON. Everything else is binary.
const ContentJSON = 1

// TombstoneNumber is the event number of a tombstone, and the last event number of its stream.
const TombstoneNumber = 1<<63 - 1

// Decode replaces r by what p holds. It does by hand what scanner does for all other messages: this is where a client
// spends its time, and all tags of a record but unknown ones are one byte.
func (r *Record) Decode(p []byte) error {
	*r = Record{}
	for len(p) > 0 {
		tag := p[0]
		if tag&7 != byte(protowire.BytesType) && tag&7 != byte(protowire.VarintType) || tag < 1<<3 || tag >= 11<<3 {
			rest, err := skipField(p)
			if err != nil {
				return err
			}
			p = rest
			continue
		}
		v, n := uvarint(p[1:])
		if n < 0 {
			return fmt.Errorf("%w: record: %w", ErrBody, protowire.ParseError(n))
		}
		p = p[1+n:]
		if tag&7 == byte(protowire.VarintType) {
			r.setNumber(tag>>3, v)
			continue
		}
		if v > uint64(len(p)) {
			return fmt.Errorf("%w: record: field %d of %d bytes, %d left", ErrBody, tag>>3, v, len(p))
		}
		data := p[:v:v]
		p = p[v:]
		switch tag >> 3 {
		case 1:
			r.Stream = data
		case 3:
			r.ID = data
		case 4:
			r.Type = data
		case 7:
			r.Data = data
		case 8:
			r.Metadata = data
		}
	}
	return nil
}

func (r *Record) setNumber(num byte, v uint64) {
	switch num {
	case 2:
		r.Number = int64(v)
	case 5:
		r.ContentType = int32(v)
	case 6:
		r.MetadataContentType = int32(v)
	case 9:
		r.CreatedTicks = int64(v)
	case 10:
		r.CreatedMillis = int64(v)
	}
}

// skipField passes over a field that no record has.
func skipField(p []byte) (rest []byte, err error) {
	_, _, n := protowire.ConsumeField(p)
	if n < 0 {
		return nil, fmt.Errorf("%w: record: %w", ErrBody, protowire.ParseError(n))
	}
	return p[n:], nil
}

// Append appends the encoded record.
func (r *Record) Append(dst []byte) []byte {
	dst = appendBytes(dst, 1, r.Stream)
	dst = appendInt(dst, 2, r.Number)
	dst = appendBytes(dst, 3, r.ID)
	dst = appendBytes(dst, 4, r.Type)
	dst = appendInt(dst, 5, int64(r.ContentType))
	dst = appendInt(dst, 6, int64(r.MetadataContentType))
	dst = appendBytes(dst, 7, r.Data)
	if r.Metadata != nil {
		dst = appendBytes(dst, 8, r.Metadata)
	}
	if r.CreatedTicks != 0 {
		dst = appendInt(dst, 9, r.CreatedTicks)
	}
	if r.CreatedMillis != 0 {
		dst = appendInt(dst, 10, r.CreatedMillis)
	}
	return dst
}

// Resolved is an event with the link that led to it: ResolvedEvent, or ResolvedIndexedEvent where Positions is false.
// An unresolvable link has no event, and a read without a result has neither.
type Resolved struct {
	HasEvent, HasLink bool
	Event, Link       Record
	Positions         bool // Commit and Prepare are written
	Commit, Prepare   int64
}

// Decode replaces r by what p holds.
func (r *Resolved) Decode(p []byte) error {
	// The records are not cleared here: it is 300 bytes an event, and they are not looked at unless Has… says so.
	r.HasEvent, r.HasLink, r.Positions, r.Commit, r.Prepare = false, false, false, 0, 0
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			r.HasEvent = true
			if err := r.Event.Decode(s.data); err != nil {
				return err
			}
		case 2:
			r.HasLink = true
			if err := r.Link.Decode(s.data); err != nil {
				return err
			}
		case 3:
			r.Commit, r.Positions = s.int64(), true
		case 4:
			r.Prepare, r.Positions = s.int64(), true
		}
	}
	return s.err
}

// Append appends the encoded event.
func (r *Resolved) Append(dst []byte) []byte {
	if r.HasEvent {
		var at int
		dst, at = beginMessage(dst, 1)
		dst = endMessage(r.Event.Append(dst), at)
	}
	if r.HasLink {
		var at int
		dst, at = beginMessage(dst, 2)
		dst = endMessage(r.Link.Append(dst), at)
	}
	if r.Positions {
		dst = appendInt(dst, 3, r.Commit)
		dst = appendInt(dst, 4, r.Prepare)
	}
	return dst
}

// AppendField appends r as field num of another message.
func (r *Resolved) AppendField(dst []byte, num int32) []byte {
	dst, at := beginMessage(dst, numberOf(num))
	return endMessage(r.Append(dst), at)
}

// EventScanner goes through the events of a page, one at a time.
type EventScanner struct {
	s     scanner
	field protowire.Number
	err   error
}

// appendEvents appends the events of a page, where they are field num.
func appendEvents(events []Resolved, p []byte, num int32) ([]Resolved, error) {
	it := ScanEvents(p, num)
	for {
		events = append(events, Resolved{})
		if !it.Next(&events[len(events)-1]) {
			return events[:len(events)-1], it.Err()
		}
	}
}

// ScanEvents starts with the first event of a message, where events are field num: 1 of a page of a stream, 3 of a page
// of $all.
func ScanEvents(p []byte, num int32) EventScanner {
	return EventScanner{s: scanner{rest: p}, field: numberOf(num)}
}

// Next replaces r by the next event, and reports whether there was one. What r aliases stays valid for as long as the
// message. r may be on the stack of the caller, which is why this is no function that takes a callback.
func (it *EventScanner) Next(r *Resolved) bool {
	for it.s.next() {
		if it.s.num != it.field {
			continue
		}
		if it.err = r.Decode(it.s.data); it.err != nil {
			return false
		}
		return true
	}
	return false
}

// Err returns what ended the scan, nil if it was the end of the message.
func (it *EventScanner) Err() error {
	if it.err != nil {
		return it.err
	}
	return it.s.err
}
