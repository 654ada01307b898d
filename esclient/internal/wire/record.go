package wire

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

// Decode replaces r by what p holds.
func (r *Record) Decode(p []byte) error {
	*r = Record{}
	s := scanner{rest: p}
	for s.next() {
		switch s.num {
		case 1:
			r.Stream = s.data
		case 2:
			r.Number = s.int64()
		case 3:
			r.ID = s.data
		case 4:
			r.Type = s.data
		case 5:
			r.ContentType = s.int32()
		case 6:
			r.MetadataContentType = s.int32()
		case 7:
			r.Data = s.data
		case 8:
			r.Metadata = s.data
		case 9:
			r.CreatedTicks = s.int64()
		case 10:
			r.CreatedMillis = s.int64()
		}
	}
	return s.err
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
