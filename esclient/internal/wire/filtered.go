package wire

// FilteredPage is the payload of FilteredReadAllEventsForwardCompleted and …BackwardCompleted, from 20.6 on.
type FilteredPage struct {
	Commit, Prepare         int64
	Events                  []Resolved // set by Decode, not by DecodeHead
	NextCommit, NextPrepare int64
	EndOfStream             bool
	Result                  Opt[ReadAllResult] // absent = success
	Error                   Opt[string]
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *FilteredPage) Decode(p []byte) (err error) {
	events := m.Events
	if err = m.DecodeHead(p); err == nil {
		m.Events, err = appendEvents(events[:0], p, 3)
	}
	return err
}

// DecodeHead is Decode, but passes the events over: [ScanEvents] finds them, as field 3.
func (m *FilteredPage) DecodeHead(p []byte) error {
	*m = FilteredPage{}
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
			m.EndOfStream = s.bool()
		case 7:
			m.Result = Some(ReadAllResult(s.int32()))
		case 8:
			m.Error = Some(string(s.data))
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *FilteredPage) Append(dst []byte) []byte {
	dst = m.AppendHead(dst)
	for i := range m.Events {
		dst = m.Events[i].AppendField(dst, 3)
	}
	return m.AppendTail(dst)
}

// AppendHead appends what comes before the events, which follow as field 3, and then AppendTail.
func (m *FilteredPage) AppendHead(dst []byte) []byte {
	dst = appendInt(dst, 1, m.Commit)
	return appendInt(dst, 2, m.Prepare)
}

// AppendTail appends what comes after the events.
func (m *FilteredPage) AppendTail(dst []byte) []byte {
	dst = appendInt(dst, 4, m.NextCommit)
	dst = appendInt(dst, 5, m.NextPrepare)
	dst = appendBool(dst, 6, m.EndOfStream)
	if m.Result.Set {
		dst = appendInt(dst, 7, int64(m.Result.Value))
	}
	return appendOptString(dst, 8, m.Error)
}
