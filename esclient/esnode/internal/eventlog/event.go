package eventlog

import (
	"bytes"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// ticksAtEpoch is the Unix epoch in .NET ticks: 100 ns since 0001-01-01.
const ticksAtEpoch = 621355968000000000

// DeletedNumber is the event number of a tombstone, and the $tb of a soft-deleted stream.
const DeletedNumber = 1<<63 - 1

// Event is one event to write. Its slices are only read, and only during the call.
type Event struct {
	ID       [16]byte // as on the wire
	Type     string
	JSON     bool
	Data     []byte
	Metadata []byte
}

// Recorded is a decoded EventRecord message; its slices point into it.
type Recorded struct {
	Stream   []byte
	Number   int64
	ID       []byte
	Type     []byte
	JSON     bool
	Data     []byte
	Metadata []byte
	Ticks    int64
	Millis   int64
}

// Time returns when the event was written.
func (r Recorded) Time() time.Time { return time.Unix(0, (r.Ticks-ticksAtEpoch)*100).UTC() }

func appendField(dst []byte, tag byte, v []byte) []byte {
	return append(binary.AppendUvarint(append(dst, tag), uint64(len(v))), v...)
}

func appendString(dst []byte, tag byte, v string) []byte {
	return append(binary.AppendUvarint(append(dst, tag), uint64(len(v))), v...)
}

// appendEvent appends the EventRecord message of e, with every field present as the server has it.
func appendEvent(dst []byte, stream string, number int64, e *Event, now time.Time) []byte {
	dst = appendString(dst, 1<<3|2, stream)
	dst = binary.AppendUvarint(append(dst, 2<<3), uint64(number))
	dst = appendField(dst, 3<<3|2, e.ID[:])
	dst = appendString(dst, 4<<3|2, e.Type)
	content := byte(0)
	if e.JSON {
		content = 1
	}
	dst = append(dst, 5<<3, content, 6<<3, content)
	dst = appendField(dst, 7<<3|2, e.Data)
	dst = appendField(dst, 8<<3|2, e.Metadata)
	dst = binary.AppendUvarint(append(dst, 9<<3), uint64(ticksAtEpoch+now.UnixNano()/100))
	return binary.AppendUvarint(append(dst, 10<<3), uint64(now.UnixMilli()))
}

// ParseEvent decodes an EventRecord message.
func ParseEvent(b []byte) (r Recorded, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return r, false
		}
		b = b[n:]
		switch typ {
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return r, false
			}
			b = b[n:]
			switch num {
			case 1:
				r.Stream = v
			case 3:
				r.ID = v
			case 4:
				r.Type = v
			case 7:
				r.Data = v
			case 8:
				r.Metadata = v
			}
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return r, false
			}
			b = b[n:]
			switch num {
			case 2:
				r.Number = int64(v)
			case 5:
				r.JSON = v == 1
			case 9:
				r.Ticks = int64(v)
			case 10:
				r.Millis = int64(v)
			}
		default:
			return r, false
		}
	}
	return r, len(r.ID) == 16
}

// ParseHead decodes only the stream and the number, which lead the message.
func ParseHead(b []byte) (stream []byte, number int64, ok bool) {
	if len(b) < 4 || b[0] != 1<<3|2 {
		return nil, 0, false
	}
	stream, n := protowire.ConsumeBytes(b[1:])
	if n < 0 || len(b) < n+3 || b[n+1] != 2<<3 {
		return nil, 0, false
	}
	v, m := protowire.ConsumeVarint(b[n+2:])
	return stream, int64(v), m > 0
}

// eventID returns the id of an EventRecord message without decoding the rest, and what follows it. The id is nil if the
// message has none where it should be.
func eventID(b []byte) (id, rest []byte) {
	stream, _, ok := ParseHead(b)
	if !ok {
		return nil, nil
	}
	b = b[1+protowire.SizeBytes(len(stream)):]
	_, n := protowire.ConsumeVarint(b[1:])
	b = b[1+n:]
	if len(b) < 18 || b[0] != 3<<3|2 || b[1] != 16 {
		return nil, nil
	}
	return b[2:18], b[18:]
}

// IsLink reports whether an EventRecord message is a link.
func IsLink(event []byte) bool {
	_, rest := eventID(event)
	return bytes.HasPrefix(rest, []byte{4<<3 | 2, byte(len(linkType)), linkType[0], linkType[1]})
}
