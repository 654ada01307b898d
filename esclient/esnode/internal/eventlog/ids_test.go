package eventlog

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestIDMemory compares what is found with a map, over several generations.
func TestIDMemory(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	streams := []*stream{{salt: 1}, {salt: 2}}
	type key struct {
		stream int
		id     [16]byte
	}
	m := newIDMemory()
	known := map[key]int64{}
	var order []key
	for number := range int64(3 * idGeneration) {
		k := key{stream: random.IntN(2)}
		binary.BigEndian.PutUint64(k.id[8:], uint64(random.IntN(2*idGeneration))) // of small numbers, and some again
		m.add(streams[k.stream], k.id, number)
		known[k] = number
		order = append(order, k)
		if number%997 != 0 {
			continue
		}
		for range 20 {
			k := order[len(order)-1-random.IntN(min(len(order), idGeneration))]
			if got, ok := m.find(streams[k.stream], k.id); !ok || got != known[k] {
				t.Fatalf("after %d: got %d, %v, want %d", number, got, ok, known[k])
			}
			k.id[0] = 1
			if got, ok := m.find(streams[k.stream], k.id); ok {
				t.Fatalf("an id that was never added is %d", got)
			}
		}
	}
	if n := len(m.young.entries) + len(m.old.entries); n > 2*idGeneration {
		t.Errorf("%d entries", n)
	}
	oldest := order[0]
	if known[oldest] == 0 {
		if _, ok := m.find(streams[oldest.stream], oldest.id); ok {
			t.Error("the oldest id is still known")
		}
	}
}

// BenchmarkIDMemory looks for an id that is not there, as nearly every append does, and adds it.
func BenchmarkIDMemory(b *testing.B) {
	m := newIDMemory()
	s := &stream{}
	for range 2 * idGeneration {
		m.add(s, newID(), 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		id := newID()
		if _, ok := m.find(s, id); ok {
			b.Fatal("found")
		}
		m.add(s, id, 0)
	}
}
