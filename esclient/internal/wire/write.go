package wire

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// Event is an event to be written (NewEvent). Slices alias the frame it was decoded from.
type Event struct {
	ID                  []byte // 16 wire bytes; any other number is refused by servers, not here
	Type                []byte
	ContentType         int32 // 1 = JSON
	MetadataContentType int32
	Data                []byte // nil = absent
	Metadata            []byte // nil = absent
}

// Decode replaces e by what p holds.
func (e *Event) Decode(p []byte) error {
	*e = Event{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			e.ID = s.data
		case 2:
			e.Type = s.data
		case 3:
			e.ContentType = s.int32()
		case 4:
			e.MetadataContentType = s.int32()
		case 5:
			e.Data = s.data
		case 6:
			e.Metadata = s.data
		}
	}
	return s.err
}

// Append appends the encoded event.
func (e *Event) Append(dst []byte) []byte {
	dst = appendBytes(dst, 1, e.ID)
	dst = appendBytes(dst, 2, e.Type)
	dst = appendInt(dst, 3, int64(e.ContentType))
	dst = appendInt(dst, 4, int64(e.MetadataContentType))
	if e.Data != nil {
		dst = appendBytes(dst, 5, e.Data)
	}
	if e.Metadata != nil {
		dst = appendBytes(dst, 6, e.Metadata)
	}
	return dst
}

// AppendField appends e as field num of another message: 3 of a write, 2 of a write in a transaction.
func (e *Event) AppendField(dst []byte, num int32) []byte {
	dst, at := beginMessage(dst, numberOf(num))
	return endMessage(e.Append(dst), at)
}

// AppendWriteHead appends what comes before the events of a WriteEvents message; the events follow as field 3, then
// [AppendWriteTail]. It spares encoders that have no []Event to make one.
func AppendWriteHead(dst []byte, stream string, expectedVersion int64) []byte {
	dst = appendBytes(dst, 1, stream)
	return appendInt(dst, 2, expectedVersion)
}

// AppendWriteTail appends what comes after the events of a WriteEvents message.
func AppendWriteTail(dst []byte, requireLeader bool) []byte { return appendBool(dst, 4, requireLeader) }

// WriteEventsBody is the payload of WriteEvents.
type WriteEventsBody struct {
	Stream          string
	ExpectedVersion int64
	Events          []Event
	RequireLeader   bool
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *WriteEventsBody) Decode(p []byte) error {
	*m = WriteEventsBody{Events: m.Events[:0]}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.Stream = string(s.data)
		case 2:
			m.ExpectedVersion = s.int64()
		case 3:
			m.Events = append(m.Events, Event{})
			if err := m.Events[len(m.Events)-1].Decode(s.data); err != nil {
				return err
			}
		case 4:
			m.RequireLeader = s.bool()
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *WriteEventsBody) Append(dst []byte) []byte {
	dst = AppendWriteHead(dst, m.Stream, m.ExpectedVersion)
	for i := range m.Events {
		dst = m.Events[i].AppendField(dst, 3)
	}
	return AppendWriteTail(dst, m.RequireLeader)
}

// FailedNumber is the event number in the answer to a write that failed.
const FailedNumber = -2147483648

// WriteEventsCompletedBody is the payload of WriteEventsCompleted.
type WriteEventsCompletedBody struct {
	Result         wirepb.OperationResult
	Message        Opt[string]
	First, Last    int64
	Prepare        Opt[int64]
	Commit         Opt[int64]
	CurrentVersion Opt[int64] // from 4.0 on; means something only with WRONG_EXPECTED_VERSION
}

// Decode replaces m by what p holds.
func (m *WriteEventsCompletedBody) Decode(p []byte) error {
	*m = WriteEventsCompletedBody{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.Result = wirepb.OperationResult(s.int32())
		case 2:
			m.Message = Some(string(s.data))
		case 3:
			m.First = s.int64()
		case 4:
			m.Last = s.int64()
		case 5:
			m.Prepare = Some(s.int64())
		case 6:
			m.Commit = Some(s.int64())
		case 7:
			m.CurrentVersion = Some(s.int64())
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *WriteEventsCompletedBody) Append(dst []byte) []byte {
	dst = appendInt(dst, 1, int64(m.Result))
	dst = appendOptString(dst, 2, m.Message)
	dst = appendInt(dst, 3, m.First)
	dst = appendInt(dst, 4, m.Last)
	dst = appendOptInt(dst, 5, m.Prepare)
	dst = appendOptInt(dst, 6, m.Commit)
	return appendOptInt(dst, 7, m.CurrentVersion)
}

// TransactionWriteBody is the payload of TransactionWrite.
type TransactionWriteBody struct {
	TransactionID int64
	Events        []Event
	RequireLeader bool
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *TransactionWriteBody) Decode(p []byte) error {
	*m = TransactionWriteBody{Events: m.Events[:0]}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.TransactionID = s.int64()
		case 2:
			m.Events = append(m.Events, Event{})
			if err := m.Events[len(m.Events)-1].Decode(s.data); err != nil {
				return err
			}
		case 3:
			m.RequireLeader = s.bool()
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *TransactionWriteBody) Append(dst []byte) []byte {
	dst = AppendTransactionWriteHead(dst, m.TransactionID)
	for i := range m.Events {
		dst = m.Events[i].AppendField(dst, 2)
	}
	return AppendTransactionWriteTail(dst, m.RequireLeader)
}

// AppendTransactionWriteHead appends what comes before the events of a TransactionWrite message; they follow as field 2,
// then [AppendTransactionWriteTail].
func AppendTransactionWriteHead(dst []byte, id int64) []byte { return appendInt(dst, 1, id) }

// AppendTransactionWriteTail appends what comes after the events of a TransactionWrite message.
func AppendTransactionWriteTail(dst []byte, requireLeader bool) []byte {
	return appendBool(dst, 3, requireLeader)
}

// CountEvents returns how many events a WriteEvents payload has, without decoding them.
func CountEvents(p []byte) (n int, err error) {
	s := scanner{rest: p}
	for s.next() {
		if s.num == protowire.Number(3) && s.data != nil {
			n++
		}
	}
	return n, s.err
}
