package esnode

import (
	"encoding/binary"
	"math/rand/v2"
)

// newGUID returns the wire bytes of a random (version 4) UUID.
func newGUID() (id [16]byte) {
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[7] = id[7]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
