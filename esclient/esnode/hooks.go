package esnode

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// hooks are the interceptors of a node. Packages of commands that have none pay one atomic load.
type hooks struct {
	mu    sync.Mutex
	table atomic.Pointer[[256][]*interception]
}

type interception struct{ fn Interceptor }

func (h *hooks) any(c Command) bool {
	t := h.table.Load()
	return t != nil && len(t[c]) > 0
}

func (h *hooks) add(c Command, fn Interceptor) (remove func()) {
	it := &interception{fn}
	h.change(c, func(list []*interception) []*interception { return append(list, it) })
	return func() {
		h.change(c, func(list []*interception) []*interception {
			var kept []*interception
			for _, other := range list {
				if other != it {
					kept = append(kept, other)
				}
			}
			return kept
		})
	}
}

func (h *hooks) change(c Command, f func([]*interception) []*interception) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var t [256][]*interception
	if old := h.table.Load(); old != nil {
		t = *old
	}
	t[c] = f(append([]*interception(nil), t[c]...))
	h.table.Store(&t)
}

// ask returns what the interceptors want done with a package, nil if nothing.
func (h *hooks) ask(c *conn, p *wire.Package, fromClient bool) *Fault {
	t := h.table.Load()
	if t == nil || len(t[p.Command]) == 0 {
		return nil
	}
	public := Package{
		Command: Command(p.Command), Correlation: p.Correlation, Login: p.Auth.Login, Password: p.Auth.Password,
		Payload: p.Payload, Conn: c.id, FromClient: fromClient,
	}
	for _, it := range t[p.Command] {
		if f := it.fn(public); !f.isZero() {
			return &f
		}
	}
	return nil
}

func (f *Fault) isZero() bool {
	return f.Delay == 0 && !f.Discard && f.Answer == nil && f.Corrupt == nil && f.Repeat == 0 && !f.Cut && !f.Stall
}

// receiveFaulty does with a request what an interceptor wants. It reports whether the connection goes on.
func (c *conn) receiveFaulty(p wire.Package, f *Fault) bool {
	act := func(p wire.Package) bool {
		if f.Answer != nil && !f.Discard {
			c.transmit(f.answer(p.Correlation), &Fault{Corrupt: f.Corrupt, Repeat: f.Repeat})
		}
		if f.Stall {
			c.out.stall()
		}
		if f.Cut {
			c.drop()
			return false
		}
		return f.Discard || f.Answer != nil || c.handle(p)
	}
	if f.Delay == 0 {
		return act(p)
	}
	p.Payload = bytes.Clone(p.Payload)
	c.node.after(f.Delay, func() {
		if !act(p) {
			c.drop()
		}
	})
	return true
}

// sendHooked sends a package past the interceptors of its command.
func (c *conn) sendHooked(cmd Command, id wire.CorrelationID, b body) {
	p := wire.Package{Command: wire.Command(cmd), Correlation: id}
	if b != nil {
		p.Payload = b.Append(nil)
	}
	f := c.node.hooks.ask(c, &p, false)
	if f == nil {
		c.transmit(p, &Fault{})
		return
	}
	if f.Answer != nil {
		p = f.answer(id)
	}
	if f.Delay > 0 {
		c.node.after(f.Delay, func() { c.transmit(p, f) })
		return
	}
	c.transmit(p, f)
}

func (f *Fault) answer(id wire.CorrelationID) wire.Package {
	p := wire.Package{Command: wire.Command(f.Answer.Command), Correlation: f.Answer.Correlation, Payload: f.Answer.Payload}
	if p.Correlation == (wire.CorrelationID{}) {
		p.Correlation = id
	}
	return p
}

// transmit queues a package, or what a fault makes of it.
func (c *conn) transmit(p wire.Package, f *Fault) {
	if !f.Discard {
		frame := wire.AppendPackage(nil, &p)
		if f.Corrupt != nil {
			frame = f.Corrupt(frame)
		}
		if f.Cut {
			frame = frame[:min(max(f.CutAfter, 0), len(frame))]
		}
		for range f.Repeat + 1 {
			if !c.out.addBytes(bytes.Clone(frame), false) {
				c.overflow()
			}
		}
	}
	if f.Stall {
		c.out.stall()
	}
	if f.Cut {
		c.closing.Store(true)
		c.out.end()
	}
}
