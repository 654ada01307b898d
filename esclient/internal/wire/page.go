package wire

// ReadEventResult is the result of ReadEventCompleted.
type ReadEventResult int32

// The results of reading one event.
const (
	ReadEventSuccess ReadEventResult = iota
	ReadEventNotFound
	ReadEventNoStream
	ReadEventStreamDeleted
	ReadEventError
	ReadEventAccessDenied
)

// ReadStreamResult is the result of a page of a stream.
type ReadStreamResult int32

// The results of reading a page of a stream.
const (
	ReadStreamSuccess ReadStreamResult = iota
	ReadStreamNoStream
	ReadStreamDeleted
	ReadStreamNotModified // over HTTP only
	ReadStreamError
	ReadStreamAccessDenied
)

// ReadAllResult is the result of a page of $all.
type ReadAllResult int32

// The results of reading a page of $all.
const (
	ReadAllSuccess ReadAllResult = iota
	ReadAllNotModified
	ReadAllError
	ReadAllAccessDenied
)

// ReadEventCompletedBody is the payload of ReadEventCompleted.
type ReadEventCompletedBody struct {
	Result   ReadEventResult
	HasEvent bool // servers up to 21.x always send an event, empty if there is none
	Event    Resolved
	Error    Opt[string]
}

// Decode replaces m by what p holds.
func (m *ReadEventCompletedBody) Decode(p []byte) error {
	*m = ReadEventCompletedBody{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.Result = ReadEventResult(s.int32())
		case 2:
			m.HasEvent = true
			if err := m.Event.Decode(s.data); err != nil {
				return err
			}
		case 3:
			m.Error = Some(string(s.data))
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *ReadEventCompletedBody) Append(dst []byte) []byte {
	dst = appendInt(dst, 1, int64(m.Result))
	if m.HasEvent {
		dst = m.Event.AppendField(dst, 2)
	}
	return appendOptString(dst, 3, m.Error)
}

// StreamPage is the payload of ReadStreamEventsForwardCompleted and ReadStreamEventsBackwardCompleted.
type StreamPage struct {
	Events      []Resolved // set by Decode, not by DecodeHead
	Result      ReadStreamResult
	Next        int64
	Last        int64 // of the stream; -1 = no events, TombstoneNumber = deleted
	EndOfStream bool
	LastCommit  int64 // end of the log, for information
	Error       Opt[string]
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *StreamPage) Decode(p []byte) (err error) {
	events := m.Events
	if err = m.DecodeHead(p); err == nil {
		m.Events, err = appendEvents(events[:0], p, 1)
	}
	return err
}

// DecodeHead is Decode, but passes the events over: [ScanEvents] finds them, as field 1.
func (m *StreamPage) DecodeHead(p []byte) error {
	*m = StreamPage{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 2:
			m.Result = ReadStreamResult(s.int32())
		case 3:
			m.Next = s.int64()
		case 4:
			m.Last = s.int64()
		case 5:
			m.EndOfStream = s.bool()
		case 6:
			m.LastCommit = s.int64()
		case 7:
			m.Error = Some(string(s.data))
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *StreamPage) Append(dst []byte) []byte {
	for i := range m.Events {
		dst = m.Events[i].AppendField(dst, 1)
	}
	return m.AppendTail(dst)
}

// AppendTail appends everything but the events, which come first, as field 1.
func (m *StreamPage) AppendTail(dst []byte) []byte {
	dst = appendInt(dst, 2, int64(m.Result))
	dst = appendInt(dst, 3, m.Next)
	dst = appendInt(dst, 4, m.Last)
	dst = appendBool(dst, 5, m.EndOfStream)
	dst = appendInt(dst, 6, m.LastCommit)
	return appendOptString(dst, 7, m.Error)
}

// AllPage is the payload of ReadAllEventsForwardCompleted and ReadAllEventsBackwardCompleted.
type AllPage struct {
	Commit, Prepare         int64      // where the page was read from
	Events                  []Resolved // set by Decode, not by DecodeHead
	NextCommit, NextPrepare int64
	Result                  Opt[ReadAllResult] // absent = success
	Error                   Opt[string]
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *AllPage) Decode(p []byte) (err error) {
	events := m.Events
	if err = m.DecodeHead(p); err == nil {
		m.Events, err = appendEvents(events[:0], p, 3)
	}
	return err
}

// DecodeHead is Decode, but passes the events over: [ScanEvents] finds them, as field 3.
func (m *AllPage) DecodeHead(p []byte) error {
	*m = AllPage{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.Commit = s.int64()
		case 2:
			m.Prepare = s.int64()
		case 4:
			m.NextCommit = s.int64()
		case 5:
			m.NextPrepare = s.int64()
		case 6:
			m.Result = Some(ReadAllResult(s.int32()))
		case 7:
			m.Error = Some(string(s.data))
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *AllPage) Append(dst []byte) []byte {
	dst = m.AppendHead(dst)
	for i := range m.Events {
		dst = m.Events[i].AppendField(dst, 3)
	}
	return m.AppendTail(dst)
}

// AppendHead appends what comes before the events, which follow as field 3, and then AppendTail.
func (m *AllPage) AppendHead(dst []byte) []byte {
	dst = appendInt(dst, 1, m.Commit)
	return appendInt(dst, 2, m.Prepare)
}

// AppendTail appends what comes after the events.
func (m *AllPage) AppendTail(dst []byte) []byte {
	dst = appendInt(dst, 4, m.NextCommit)
	dst = appendInt(dst, 5, m.NextPrepare)
	if m.Result.Set {
		dst = appendInt(dst, 6, int64(m.Result.Value))
	}
	return appendOptString(dst, 7, m.Error)
}
