package wire

// FilteredPage is the payload of FilteredReadAllEventsForwardCompleted and …BackwardCompleted, from 20.6 on.
type FilteredPage struct {
	Commit, Prepare         int64
	Events                  []Resolved // filled by Decode only
	NextCommit, NextPrepare int64
	EndOfStream             bool
	Result                  Opt[ReadAllResult] // absent = success
	Error                   Opt[string]
}

// Decode replaces m by what p holds, keeping the capacity of Events.
func (m *FilteredPage) Decode(p []byte) error {
	events := m.Events[:0]
	err := m.DecodeEach(p, func(e *Resolved) error {
		events = append(events, *e)
		return nil
	})
	m.Events = events
	return err
}

// DecodeEach is Decode, but calls fn with each event in turn instead of keeping them in Events. The event and what it
// aliases are valid during the call. An error of fn ends it. A nil fn passes the events over.
func (m *FilteredPage) DecodeEach(p []byte, fn func(*Resolved) error) error {
	*m = FilteredPage{}
	var e Resolved
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.Commit = s.int64()
		case 2:
			m.Prepare = s.int64()
		case 3:
			if fn == nil {
				continue
			}
			if err := e.Decode(s.data); err != nil {
				return err
			}
			if err := fn(&e); err != nil {
				return err
			}
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
