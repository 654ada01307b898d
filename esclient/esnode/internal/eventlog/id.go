package eventlog

import (
	"encoding/binary"
	"math/rand/v2"
)

// newID returns the wire bytes of a random (version 4) UUID, for an event the node makes itself.
func newID() (id [16]byte) {
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[7] = id[7]&0x0f | 0x40 // the third group is little-endian on the wire
	id[8] = id[8]&0x3f | 0x80
	return id
}
