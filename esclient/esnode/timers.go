package esnode

import (
	"sync"
	"time"
)

// timers are the calls that a node has put off. They end with it.
type timers struct {
	mu      sync.Mutex
	next    int
	pending map[int]func() bool
	stopped bool
	running sync.WaitGroup
}

// after calls f once d has passed on the clock of the node, unless the node ends before.
func (n *Node) after(d time.Duration, f func()) {
	t := &n.timers
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	if t.pending == nil {
		t.pending = map[int]func() bool{}
	}
	id := t.next
	t.next++
	cancel := n.cfg.clock.AfterFunc(d, func() {
		t.mu.Lock()
		_, live := t.pending[id]
		delete(t.pending, id)
		if live {
			t.running.Add(1)
		}
		t.mu.Unlock()
		if live {
			defer t.running.Done()
			f()
		}
	})
	t.pending[id] = cancel
}

// stop cancels what is pending and waits for what has begun.
func (t *timers) stop() {
	t.mu.Lock()
	t.stopped = true
	for _, cancel := range t.pending {
		cancel()
	}
	t.pending = nil
	t.mu.Unlock()
	t.running.Wait()
}
