package esnode

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// group is a persistent subscription. Its goroutine reads the stream and writes to the log; connections acknowledge under
// the lock. Nobody writes to the log under the lock, because the goroutine that commits may want it.
type group struct {
	node     *Node
	settings groupSettings
	wake     chan struct{}
	quit     chan struct{}
	done     chan struct{}

	mu          sync.Mutex
	ended       bool
	consumers   []*consumer
	strategy    strategy
	next        int64 // number to read on from
	live        bool  // everything that was there has been read
	liveFrom    int64 // events from this number on are pushed as live ones
	ready       []*groupMessage
	retry       []*groupMessage // before ready
	outstanding map[[16]byte]*groupMessage
	delivering  delivering
	lastPushed  int64
	tombstone   *groupMessage
	parks       []parking

	checkpoint checkpointing
	total      int64
	since      int64
	pace       int64
}

func newGroup(n *Node, s groupSettings) *group {
	g := &group{
		node: n, settings: s, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		strategy: newStrategy(s.Strategy), outstanding: map[[16]byte]*groupMessage{}, lastPushed: -1, checkpoint: checkpointing{last: -1},
	}
	switch at, ok := g.loadCheckpoint(); {
	case ok:
		g.next = at + 1
	case s.StartFrom < 0:
		if last := n.log.LastNumber(s.Stream); last != eventlog.DeletedNumber {
			g.next = last + 1
		}
		g.live, g.liveFrom = true, g.next
	default:
		g.next = s.StartFrom
	}
	return g
}

// run is the goroutine of the group. It ends with stop.
func (g *group) run() {
	defer close(g.done)
	g.signal()
	for {
		select {
		case <-g.quit:
			return
		case <-g.wake:
		}
		g.mu.Lock()
		g.refill()
		g.pump()
		parks := g.parks
		g.parks = nil
		position, write := g.checkpoint.take()
		g.mu.Unlock()
		for _, p := range parks {
			g.park(p)
		}
		if write {
			g.saveCheckpoint(position)
		}
	}
}

func (g *group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// stop ends the group and tells its consumers.
func (g *group) stop() {
	g.node.hub.remove(g.settings.Stream, g)
	g.mu.Lock()
	already := g.ended
	g.ended = true
	for _, c := range g.consumers {
		c.gone = true
		c.conn.send(SubscriptionDropped, c.id, nil)
	}
	g.consumers = nil
	g.mu.Unlock()
	if !already {
		close(g.quit)
	}
	<-g.done
}

func (g *group) deliver(e *liveEvent) {
	if e.Tombstone {
		m := newGroupMessage(e.Resolved)
		m.replayed = true
		g.mu.Lock()
		g.tombstone = m
		g.mu.Unlock()
	}
	g.signal()
}

func (g *group) farewell() {}

// refill reads events while there is room for them. A group whose buffer does not exceed what it reads at once never
// reads history.
func (g *group) refill() {
	for !g.ended {
		count := min(g.settings.ReadBatch, maxGroupRead)
		room := g.settings.Buffer - len(g.ready)
		if !g.live && room <= g.settings.ReadBatch || g.live && room <= 0 || count <= 0 {
			return
		}
		if g.live {
			count = min(room, maxGroupRead)
		}
		p := g.node.log.ReadStream(g.settings.Stream, g.next, count, false, g.settings.ResolveLinks && !g.live)
		if p.Err != nil {
			g.node.readFailed(p.Err)
		}
		for i := range p.Events {
			g.accept(p.Events[i])
		}
		if p.Result == eventlog.ReadSuccess && p.Next > g.next {
			g.next = p.Next
		}
		if g.tombstone != nil && p.Result == eventlog.ReadStreamDeleted {
			g.ready = append(g.ready, g.tombstone)
			g.tombstone = nil
		}
		end := p.End
		p.Release()
		if end {
			if !g.live {
				g.live, g.liveFrom = true, g.next
			}
			return
		}
	}
}

func (g *group) accept(e eventlog.Resolved) {
	if g.live && g.settings.ResolveLinks && eventlog.IsLink(e.Event) {
		r, err := g.node.log.Resolve(e)
		if err != nil || r.Link == nil {
			r = e
			r.Event, r.Link = nil, e.Event
		}
		e = r
	}
	g.ready = append(g.ready, newGroupMessage(e))
}

// pump pushes what consumers have credit for.
func (g *group) pump() {
	if len(g.consumers) == 0 {
		return
	}
	var ok bool
	if g.retry, ok = g.pushFrom(g.retry); ok {
		g.ready, _ = g.pushFrom(g.ready)
	}
	if len(g.ready) == 0 {
		g.ready = nil
	}
}

// pushFrom pushes what it can of a list and returns the rest. It reports whether there is credit left.
func (g *group) pushFrom(list []*groupMessage) (rest []*groupMessage, ok bool) {
	for i, m := range list {
		c, v := g.strategy.choose(m)
		switch v {
		case full:
			if rest == nil {
				return list[i:], false
			}
			return append(rest, list[i:]...), false
		case blocked:
			rest = append(rest, m)
		case chosen:
			g.pushTo(c, m)
		}
	}
	return rest, true
}

func (g *group) pushTo(c *consumer, m *groupMessage) {
	m.consumer = c
	if t := g.settings.timeout(); t > 0 {
		m.due = g.node.cfg.clock.Now().Add(t)
	}
	if !m.replayed {
		g.lastPushed = max(g.lastPushed, m.number)
	}
	// Of two events with one id, only the first is tracked, and the credit of the second is lost, like on the server.
	if _, twice := g.outstanding[m.id]; twice {
		g.delivering.remove(m)
	} else {
		g.outstanding[m.id] = m
		g.delivering.add(m)
	}
	g.total++
	c.push(m)
}

// add lets a consumer in.
func (g *group) add(c *consumer) {
	g.consumers = append(g.consumers, c)
	g.strategy.add(c)
}

// remove takes a consumer out, and delivers what it held to the others. It reports whether the consumer was in.
func (g *group) remove(c *consumer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.gone {
		return false
	}
	c.gone = true
	g.consumers = slices.DeleteFunc(g.consumers, func(other *consumer) bool { return other == c })
	g.strategy.remove(c)
	for id, m := range g.outstanding {
		if m.consumer == c && !m.parking {
			delete(g.outstanding, id)
			m.retries, m.consumer = 1, nil
			g.retry = append(g.retry, m)
		}
	}
	slices.SortStableFunc(g.retry, byNumber)
	g.pump()
	return true
}

// settle ends the delivery of a message to its consumer and gives the credit back.
func (g *group) settle(m *groupMessage) {
	if m.consumer != nil && m.consumer.inFlight > 0 {
		m.consumer.inFlight--
	}
	m.consumer = nil
}

// again delivers a message once more, or parks it if that was done often enough.
func (g *group) again(m *groupMessage) {
	g.settle(m)
	if m.retries >= g.settings.MaxRetries {
		g.startParking(m, reachedRetries(m.retries))
		return
	}
	delete(g.outstanding, m.id)
	m.retries++
	g.retry = insertByNumber(g.retry, m)
}

// sweep is called once a second.
func (g *group) sweep(now time.Time) {
	g.mu.Lock()
	for _, m := range g.overdue(now) {
		g.again(m)
	}
	g.markCheckpoint(true, now)
	g.pump()
	g.pace, g.since = g.total-g.since, g.total
	for _, c := range g.consumers {
		c.pace, c.since = c.total-c.since, c.total
	}
	g.mu.Unlock()
	g.signal()
}

func (g *group) overdue(now time.Time) []*groupMessage {
	var list []*groupMessage
	for _, m := range g.outstanding {
		if !m.parking && !m.due.IsZero() && !m.due.After(now) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *groupMessage) int { return bytes.Compare(a.id[:], b.id[:]) })
	return list
}
