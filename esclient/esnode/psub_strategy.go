package esnode

import (
	"encoding/json"
	"hash/fnv"
	"slices"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// verdict is what a strategy says about a message.
type verdict int

const (
	chosen  verdict = iota
	blocked         // its consumer has no credit; others may have
	full            // no consumer has credit
)

// strategy chooses the consumer of a message.
type strategy interface {
	add(*consumer)
	remove(*consumer)
	choose(*groupMessage) (*consumer, verdict)
}

func newStrategy(name string) strategy {
	switch name {
	case dispatchToSingle:
		return &rotation{sticky: true}
	case pinned:
		return &pinning{source: sourceStream, owner: map[uint32]*consumer{}}
	case pinnedByCorrelation:
		return &pinning{source: correlationOf, owner: map[uint32]*consumer{}}
	}
	return &rotation{}
}

// rotation goes round the consumers that have credit: after each message, or, if sticky, only when the consumer in front
// has none left.
type rotation struct {
	consumers []*consumer
	sticky    bool
}

func (r *rotation) add(c *consumer) { r.consumers = append(r.consumers, c) }

func (r *rotation) remove(c *consumer) {
	r.consumers = slices.DeleteFunc(r.consumers, func(other *consumer) bool { return other == c })
}

func (r *rotation) choose(*groupMessage) (*consumer, verdict) {
	for range r.consumers {
		c := r.consumers[0]
		if !r.sticky || !c.hasCredit() {
			r.consumers = append(r.consumers[1:], c)
		}
		if c.hasCredit() {
			return c, chosen
		}
	}
	return nil, full
}

// pinBuckets is into how many parts the sources are hashed.
const pinBuckets = 1024

// pinning gives all messages of one source to the same consumer, as long as that is there.
type pinning struct {
	source    func(*groupMessage) []byte
	consumers []*consumer
	owner     map[uint32]*consumer // by bucket
}

// add takes buckets from those who have more than their share.
func (p *pinning) add(c *consumer) {
	p.consumers = append(p.consumers, c)
	share := (len(p.owner) + len(p.consumers) - 1) / len(p.consumers)
	for bucket, owner := range p.owner {
		if owner.buckets > share {
			owner.buckets--
			c.buckets++
			p.owner[bucket] = c
		}
	}
}

func (p *pinning) remove(c *consumer) {
	p.consumers = slices.DeleteFunc(p.consumers, func(other *consumer) bool { return other == c })
	for bucket, owner := range p.owner {
		if owner == c {
			delete(p.owner, bucket)
		}
	}
}

func (p *pinning) choose(m *groupMessage) (*consumer, verdict) {
	if !slices.ContainsFunc(p.consumers, (*consumer).hasCredit) {
		return nil, full
	}
	h := fnv.New32a()
	_, _ = h.Write(p.source(m))
	bucket := h.Sum32() % pinBuckets
	c := p.owner[bucket]
	if c == nil {
		c = slices.MinFunc(p.consumers, func(a, b *consumer) int { return a.buckets - b.buckets })
		c.buckets++
		p.owner[bucket] = c
	}
	if !c.hasCredit() {
		return nil, blocked
	}
	return c, chosen
}

// sourceStream is the stream that an event was written to: of a link that is not resolved, the stream it points to.
func sourceStream(m *groupMessage) []byte {
	event := m.event.Event
	if event == nil {
		event = m.event.Link
	}
	e, _ := eventlog.ParseEvent(event)
	if string(e.Type) == "$>" {
		if t, ok := eventlog.ParseLink(e.Data); ok {
			return []byte(t.Stream)
		}
		return e.Data
	}
	return e.Stream
}

// correlationOf is the correlation id in the metadata of an event, or its stream if there is none.
func correlationOf(m *groupMessage) []byte {
	e, _ := eventlog.ParseEvent(m.event.Event)
	var meta struct {
		ID string `json:"$correlationId"`
	}
	if json.Unmarshal(e.Metadata, &meta) == nil && meta.ID != "" {
		return []byte(meta.ID)
	}
	return sourceStream(m)
}
