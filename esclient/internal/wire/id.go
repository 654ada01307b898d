package wire

import "github.com/google/uuid"

// CorrelationID ties an answer to its request. The bytes are echoed as they are, so they have no byte order.
type CorrelationID [16]byte

// IDBytes returns an event id as it goes over the wire: .NET writes the first three groups of a GUID little-endian.
func IDBytes(id uuid.UUID) [16]byte {
	return [16]byte{
		id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6],
		id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15],
	}
}

// AppendID appends the wire bytes of id.
func AppendID(dst []byte, id uuid.UUID) []byte {
	b := IDBytes(id)
	return append(dst, b[:]...)
}

// ID returns the event id that wire bytes stand for. ok is false, and the id zero, unless there are exactly 16 of them.
func ID(b []byte) (id uuid.UUID, ok bool) {
	if len(b) != 16 {
		return uuid.UUID{}, false
	}
	return IDBytes(uuid.UUID(b)), true // the swap is its own inverse
}
