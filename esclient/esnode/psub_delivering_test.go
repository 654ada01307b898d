package esnode

import (
	"math/rand/v2"
	"testing"
)

// TestDelivering compares the lowest number with that of a search, while messages come and go.
func TestDelivering(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var d delivering
	in := map[*groupMessage]bool{}
	for number := range int64(10_000) {
		m := &groupMessage{number: number ^ 7, replayed: number%13 == 0} // not quite in order, as after a time-out
		d.add(m)
		d.add(m) // delivered again
		if !m.replayed {
			in[m] = true
		}
		for m := range in {
			if random.IntN(3) == 0 {
				d.remove(m)
				delete(in, m)
			}
			break
		}
		want, some := int64(0), false
		for m := range in {
			if !some || m.number < want {
				want, some = m.number, true
			}
		}
		if got, ok := d.lowest(); got != want || ok != some {
			t.Fatalf("got %d, %v, want %d, %v", got, ok, want, some)
		}
		if len(in) > 100 {
			for m := range in {
				d.remove(m)
			}
			clear(in)
		}
	}
}

// BenchmarkAck acks one of many messages that consumers hold.
func BenchmarkAck(b *testing.B) {
	n, err := Start()
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	const held = 10_000
	g := newGroup(n, groupSettings{Stream: "s", Group: "g", CheckpointMax: 1 << 40})
	c := &consumer{group: g, credits: 2 * held}
	ids := make([][16]byte, held)
	next := int64(0)
	push := func() {
		m := &groupMessage{id: newGUID(), number: next, consumer: c}
		ids[next%held] = m.id
		next++
		g.outstanding[m.id] = m
		g.delivering.add(m)
	}
	for range held {
		push()
	}
	b.ReportAllocs()
	for b.Loop() {
		at := next % held
		g.ack(ids[at : at+1])
		push()
	}
}
