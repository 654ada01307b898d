package wire

// StreamEventAppearedBody is the payload of StreamEventAppeared.
type StreamEventAppearedBody struct {
	HasEvent bool
	Event    Resolved
}

// Decode replaces m by what p holds.
func (m *StreamEventAppearedBody) Decode(p []byte) error {
	m.HasEvent = false
	s := scanner{rest: p}
	for s.next() {
		if s.num == 1 {
			m.HasEvent = true
			if err := m.Event.Decode(s.data); err != nil {
				return err
			}
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *StreamEventAppearedBody) Append(dst []byte) []byte {
	if !m.HasEvent {
		return dst
	}
	return m.Event.AppendField(dst, 1)
}

// PersistentEventAppearedBody is the payload of PersistentSubscriptionStreamEventAppeared.
type PersistentEventAppearedBody struct {
	HasEvent   bool
	Event      Resolved   // without positions
	RetryCount Opt[int64] // from 4.1 on
}

// Decode replaces m by what p holds.
func (m *PersistentEventAppearedBody) Decode(p []byte) error {
	m.HasEvent, m.RetryCount = false, Opt[int64]{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			m.HasEvent = true
			if err := m.Event.Decode(s.data); err != nil {
				return err
			}
		case 2:
			m.RetryCount = Some(int64(s.int32()))
		}
	}
	return s.err
}

// Append appends the encoded message.
func (m *PersistentEventAppearedBody) Append(dst []byte) []byte {
	if m.HasEvent {
		dst = m.Event.AppendField(dst, 1)
	}
	return appendOptInt(dst, 2, m.RetryCount)
}
