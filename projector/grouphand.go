package projector

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// recentAnswers is how many events a member of a group remembers that it has handled, as their acks may have been lost with
// a connection.
const recentAnswers = 1024

// groupKey names a delivery. Two events may have the same id.
type groupKey struct {
	receipt uuid.UUID
	number  int64
}

// pending is a delivery that has no answer yet.
type pending struct {
	key      groupKey
	event    source.Event // upcast
	since    time.Time    // when it was delivered last
	attempts int          // that failed
	proofs   int          // events handled before the first of them
	failure  failure      // of the last one
	due      time.Time    // of the next one; zero = now
	held     bool         // has failed as often as it may, and nothing shows that it is not an outage
	given    bool         // to the pool
	gone     bool         // has its answer
	called   bool         // has had its side effect; with dedupe only
	skip     bool         // not to be handled; with dedupe only
}

// id names the event itself, however it is delivered: first, again, or replayed after it was parked.
func (p *pending) id() uuid.UUID {
	e := &p.event
	name := make([]byte, 0, len(e.Stream)+8)
	for n := uint64(e.Number); n > 0; n >>= 8 {
		name = append(name, byte(n))
	}
	return uuid.NewSHA1(e.ID, append(append(name, 0), e.Stream...))
}

// groupHand is what was delivered and has no answer, oldest first.
type groupHand struct {
	known  map[groupKey]*pending
	order  []*pending // and some that are gone
	doubts int        // deliveries that are held
	recent map[groupKey]bool
	ring   []groupKey // of recent
	next   int        // in ring, once it is full
}

func newGroupHand() groupHand {
	return groupHand{known: make(map[groupKey]*pending), recent: make(map[groupKey]bool)}
}

// add takes a delivery in. It returns nil if the event is in hand already, or was answered lately; then answered is true.
func (h *groupHand) add(d *source.Delivery, now time.Time) (p *pending, answered bool) {
	key := groupKey{d.Receipt, d.Number}
	if p := h.known[key]; p != nil {
		p.since = now
		return nil, false
	}
	if h.recent[key] {
		return nil, true
	}
	p = &pending{key: key, event: d.Event, since: now}
	h.known[key] = p
	h.order = append(h.order, p)
	return p, false
}

// remove takes out what has an answer, and remembers it if it is an ack.
func (h *groupHand) remove(p *pending, acked bool) {
	if !p.gone && h.known[p.key] == p {
		delete(h.known, p.key)
		h.free(p)
	}
	p.gone = true
	if !acked {
		return
	}
	if len(h.ring) < recentAnswers {
		h.ring = append(h.ring, p.key)
	} else {
		delete(h.recent, h.ring[h.next])
		h.ring[h.next] = p.key
		h.next = (h.next + 1) % recentAnswers
	}
	h.recent[p.key] = true
}

// hold keeps a delivery back.
func (h *groupHand) hold(p *pending) {
	if !p.held {
		p.held = true
		h.doubts++
	}
}

// free takes back that a delivery is held.
func (h *groupHand) free(p *pending) {
	if p.held {
		p.held = false
		h.doubts--
	}
}

// len counts the deliveries that have no answer.
func (h *groupHand) len() int { return len(h.known) }

// clear forgets what has no answer.
func (h *groupHand) clear() {
	clear(h.known)
	h.order, h.doubts = nil, 0
}

// take returns what is to be handled now, at most n, and when the first of the others is due; zero if none is.
func (h *groupHand) take(now time.Time, n int) (ready []*pending, next time.Time) {
	h.order = slices.DeleteFunc(h.order, func(p *pending) bool { return p.gone })
	for _, p := range h.order {
		switch {
		case p.given:
		case !p.due.After(now):
			if len(ready) < n {
				ready = append(ready, p)
			}
		case next.IsZero() || p.due.Before(next):
			next = p.due
		}
	}
	return ready, next
}

// held returns the deliveries that are held back.
func (h *groupHand) held() []*pending {
	if h.doubts == 0 {
		return nil
	}
	var held []*pending
	for _, p := range h.order {
		if p.held {
			held = append(held, p)
		}
	}
	return held
}

// oldest is when the oldest event in hand was written; zero if there is none.
func (h *groupHand) oldest() time.Time {
	var t time.Time
	for _, p := range h.order {
		if c := p.event.Created; !p.gone && (t.IsZero() || c.Before(t)) {
			t = c
		}
	}
	return t
}

// further returns the greater of two positions in a stream, the other where one is not known.
func further(p, q checkpoint.Position) checkpoint.Position {
	if order, ok := q.Compare(p); p.IsStart() || ok && order > 0 {
		return q
	}
	return p
}
