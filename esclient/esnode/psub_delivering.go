package esnode

import "container/heap"

// delivering are the messages that were pushed and are not complete: they hold the checkpoint back, wherever they wait. The
// lowest number is in front; those that have become complete leave when they get there, so that no ack searches for them.
type delivering struct{ list deliveringHeap }

// add takes a message in that is pushed for the first time, unless its completion does not count.
func (d *delivering) add(m *groupMessage) {
	if m.replayed || m.delivering {
		return
	}
	m.delivering = true
	heap.Push(&d.list, m)
}

// remove takes a message out.
func (d *delivering) remove(m *groupMessage) { m.delivering = false }

// lowest returns the lowest number; ok is false if there is none.
func (d *delivering) lowest() (number int64, ok bool) {
	for len(d.list) > 0 && !d.list[0].delivering {
		heap.Pop(&d.list)
	}
	if len(d.list) == 0 {
		return 0, false
	}
	return d.list[0].number, true
}

// deliveringHeap implements [heap.Interface].
type deliveringHeap []*groupMessage

func (h deliveringHeap) Len() int           { return len(h) }
func (h deliveringHeap) Less(i, j int) bool { return h[i].number < h[j].number }
func (h deliveringHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *deliveringHeap) Push(m any)        { *h = append(*h, m.(*groupMessage)) }

func (h *deliveringHeap) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return m
}
