package wire

import "google.golang.org/protobuf/encoding/protowire"

// EncodedEvent is a [Resolved] whose records are encoded already, for servers that keep them so. A nil record is absent.
type EncodedEvent struct {
	Event, Link     []byte // as [Record.Append] made them
	Positions       bool
	Commit, Prepare int64
}

// Size returns how many bytes Append will append.
func (e *EncodedEvent) Size() int {
	n := 0
	if e.Event != nil {
		n += 1 + protowire.SizeBytes(len(e.Event))
	}
	if e.Link != nil {
		n += 1 + protowire.SizeBytes(len(e.Link))
	}
	if e.Positions {
		n += 2 + protowire.SizeVarint(uint64(e.Commit)) + protowire.SizeVarint(uint64(e.Prepare))
	}
	return n
}

// Append appends the encoded event.
func (e *EncodedEvent) Append(dst []byte) []byte {
	if e.Event != nil {
		dst = appendBytes(dst, 1, e.Event)
	}
	if e.Link != nil {
		dst = appendBytes(dst, 2, e.Link)
	}
	if e.Positions {
		dst = appendInt(dst, 3, e.Commit)
		dst = appendInt(dst, 4, e.Prepare)
	}
	return dst
}

// AppendField appends e as field num of another message: 1 of a stream page or a push, 3 of a page of $all.
func (e *EncodedEvent) AppendField(dst []byte, num int32) []byte {
	dst = protowire.AppendTag(dst, numberOf(num), protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(e.Size()))
	return e.Append(dst)
}

func numberOf(num int32) protowire.Number { return protowire.Number(num) }
