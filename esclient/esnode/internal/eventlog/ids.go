package eventlog

import (
	"encoding/binary"
	"math/bits"
)

// idGeneration is how many event ids one generation of the memory holds.
const idGeneration = 1 << 16

// idMemory knows the numbers of the events written last, by id: between 65,536 and 131,072 of them, as the older of two
// generations is forgotten at once. It begins empty with each start, like that of the server.
//
// Nearly every append asks for an id that is not there. A generation is made for that: a table of four bytes a slot, which
// stays in the cache of the processor where a map of whole ids does not.
type idMemory struct {
	young, old idTable
}

func newIDMemory() idMemory { return idMemory{} }

func (m *idMemory) add(s *stream, id [16]byte, number int64) {
	if len(m.young.entries) >= idGeneration {
		m.young, m.old = m.old, m.young
		m.young.reset()
	}
	m.young.add(idEntry{s, id, number})
}

func (m *idMemory) find(s *stream, id [16]byte) (number int64, ok bool) {
	h := hashID(s, id)
	if number, ok = m.young.find(h, s, id); !ok {
		number, ok = m.old.find(h, s, id)
	}
	return number, ok
}

// idTable is a hash table with open addressing, from which nothing is taken out.
type idTable struct {
	entries []idEntry
	slots   []uint32 // 0 = free; else the number of the entry from 1 on, below a part of its hash
}

type idEntry struct {
	stream *stream
	id     [16]byte
	number int64
}

const (
	minSlots  = 256
	entryBits = 17 // of a slot: enough for idGeneration
	entryMask = 1<<entryBits - 1
)

// reset empties the table and keeps its memory.
func (t *idTable) reset() {
	clear(t.entries)
	clear(t.slots)
	t.entries = t.entries[:0]
}

func (t *idTable) add(e idEntry) {
	t.entries = append(t.entries, e)
	if 2*len(t.entries) > len(t.slots) {
		t.grow()
		return
	}
	t.put(len(t.entries))
}

// grow makes the table twice as large, which puts all entries in.
func (t *idTable) grow() {
	t.slots = make([]uint32, max(minSlots, 2*len(t.slots)))
	for n := range t.entries {
		t.put(n + 1)
	}
}

// put finds a slot for entry n, from 1 on: that of an earlier one with the same id, which it replaces, or a free one.
func (t *idTable) put(n int) {
	e := &t.entries[n-1]
	h := hashID(e.stream, e.id)
	slot := uint32(n) | tagOf(h)
	for i := h; ; i++ {
		at := &t.slots[i&uint64(len(t.slots)-1)]
		if *at == 0 {
			*at = slot
			return
		}
		if *at&^entryMask == slot&^entryMask {
			if other := &t.entries[*at&entryMask-1]; other.id == e.id && other.stream == e.stream {
				*at = slot
				return
			}
		}
	}
}

func (t *idTable) find(h uint64, s *stream, id [16]byte) (number int64, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	tag := tagOf(h)
	for i := h; ; i++ {
		slot := t.slots[i&uint64(len(t.slots)-1)]
		if slot == 0 {
			return 0, false
		}
		if slot&^entryMask == tag {
			if e := &t.entries[slot&entryMask-1]; e.id == id && e.stream == s {
				return e.number, true
			}
		}
	}
}

// tagOf is the part of a hash that lies in a slot, other than the part that chooses it.
func tagOf(h uint64) uint32 { return uint32(h>>32) &^ entryMask }

// hashID mixes all bits of an id, which need not be random, with those of its stream.
func hashID(s *stream, id [16]byte) uint64 {
	h := mix(binary.LittleEndian.Uint64(id[:8])^s.salt, 0x9e3779b97f4a7c15)
	return mix(h^binary.LittleEndian.Uint64(id[8:]), 0xd6e8feb86659fd93)
}

// mix folds the 128 bits of a product, so that each bit of a changes bits everywhere.
func mix(a, odd uint64) uint64 {
	high, low := bits.Mul64(a, odd)
	return high ^ low
}
