package esclient

import (
	"sync"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// maxAcks is how many ids go into one package.
const maxAcks = 2000

// acker gathers acks, so that those given while the writer is busy go out as one package.
type acker struct {
	mu     sync.Mutex
	conn   *conn // nil = not connected: acks are dropped, as the server delivers again what was not acked
	id     wire.CorrelationID
	name   string // what acks name: stream::group
	acks   []wire.RawID
	naks   []nak
	queued bool // the writer knows
}

type nak struct {
	action NakAction
	reason string
	ids    []wire.RawID
}

// connectAcker is told that a persistent subscription was confirmed on the current connection.
func (c *core) connectAcker(a *acker, o *op, name string) {
	c.mu.Lock()
	cn, id := c.conn, o.id
	c.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn, a.id, a.name = cn, id, name
	a.acks, a.naks, a.queued = nil, nil, false
}

func (a *acker) disconnect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn, a.acks, a.naks, a.queued = nil, nil, nil, false
}

func (a *acker) ackEvents(events []Event) {
	a.ack(len(events), func(i int) uuid.UUID { return events[i].RecordID() })
}

func (a *acker) ack(n int, id func(i int) uuid.UUID) {
	a.mu.Lock()
	if a.conn == nil || n == 0 {
		a.mu.Unlock()
		return
	}
	for i := range n {
		a.acks = append(a.acks, wire.IDBytes(id(i)))
	}
	a.schedule()
}

func (a *acker) nak(n nak) {
	a.mu.Lock()
	if a.conn == nil {
		a.mu.Unlock()
		return
	}
	a.naks = append(a.naks, n)
	a.schedule()
}

// schedule makes the writer ask for frames. It is called with a.mu held, and releases it.
func (a *acker) schedule() {
	cn := a.conn
	tell := !a.queued
	a.queued = true
	a.mu.Unlock()
	if tell {
		cn.acksWaiting(a)
	}
}

func (cn *conn) acksWaiting(a *acker) {
	cn.mu.Lock()
	cn.dirty = append(cn.dirty, a)
	cn.mu.Unlock()
	cn.signal()
}

// flush hands what has gathered to the writer, so that nothing queued later overtakes it.
func (a *acker) flush() {
	a.mu.Lock()
	cn := a.conn
	a.mu.Unlock()
	if cn == nil {
		return
	}
	if frames := a.appendFrames(nil); len(frames) > 0 {
		cn.enqueue(item{frame: frames})
	}
}

// appendFrames appends what has gathered. The writer calls it.
func (a *acker) appendFrames(dst []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queued = false
	for ids := a.acks; len(ids) > 0; {
		n := min(len(ids), maxAcks)
		var start int
		dst, start = wire.BeginFrame(dst, wire.PersistentSubscriptionAckEvents, 0, a.id, wire.Auth{})
		dst = wire.EndFrame(wire.AppendAckBody(dst, a.name, ids[:n]), start)
		ids = ids[n:]
	}
	a.acks = a.acks[:0]
	for _, k := range a.naks {
		for ids := k.ids; len(ids) > 0; {
			n := min(len(ids), maxAcks)
			var start int
			dst, start = wire.BeginFrame(dst, wire.PersistentSubscriptionNakEvents, 0, a.id, wire.Auth{})
			dst = wire.EndFrame(wire.AppendNakBody(dst, a.name, ids[:n], k.reason, int32(k.action)), start)
			ids = ids[n:]
		}
	}
	a.naks = nil
	return dst
}
