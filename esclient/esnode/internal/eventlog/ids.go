package eventlog

// idGeneration is how many event ids one generation of the memory holds.
const idGeneration = 65_536

type idKey struct {
	stream *stream
	id     [16]byte
}

// idMemory knows the numbers of the events written last, by id: between 65,536 and 131,072 of them, as the older of two
// generations is forgotten at once. It begins empty with each start, like that of the server.
type idMemory struct {
	young, old map[idKey]int64
}

func newIDMemory() idMemory { return idMemory{young: map[idKey]int64{}} }

func (m *idMemory) add(s *stream, id [16]byte, number int64) {
	if len(m.young) >= idGeneration {
		m.old, m.young = m.young, make(map[idKey]int64, idGeneration)
	}
	m.young[idKey{s, id}] = number
}

func (m *idMemory) find(s *stream, id [16]byte) (number int64, ok bool) {
	if number, ok = m.young[idKey{s, id}]; !ok {
		number, ok = m.old[idKey{s, id}]
	}
	return number, ok
}
