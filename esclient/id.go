package esclient

import (
	"math/rand/v2"

	"github.com/google/uuid"
)

// newID makes a random event id (version 4). The generator is seeded by the system and has 256 bits of state, which is
// plenty against a collision; nobody gains anything by guessing an id.
func newID() uuid.UUID {
	var id uuid.UUID
	a, b := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
