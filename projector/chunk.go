package projector

import (
	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// chunk is a run of events that follows a known position.
type chunk struct {
	from   checkpoint.Position
	to     checkpoint.Position // after all events, and whatever the source passed over behind them
	events []source.Event
	called int // so many events at the beginning have had their side effects
}

// empty reports whether there is nothing to commit.
func (c *chunk) empty() bool { return len(c.events) == 0 && c.from == c.to }

// add appends what the source has delivered.
func (c *chunk) add(b source.Batch) {
	if len(c.events) == 0 {
		c.events = b.Events
	} else {
		c.events = append(c.events, b.Events...)
	}
	c.to = b.Position
}

// cut takes the first n events off c and returns them as a chunk of their own. All of them take the position along.
func (c *chunk) cut(src source.Source, n int) chunk {
	head := chunk{from: c.from, to: c.to, events: c.events[:n:n], called: min(c.called, n)}
	if n < len(c.events) {
		head.to = c.from
		for i := range head.events {
			head.to = src.Advance(head.to, &head.events[i])
		}
	}
	c.from, c.events, c.called = head.to, c.events[n:], c.called-head.called
	return head
}

// glue puts head, cut off before, in front of c again.
func (c *chunk) glue(head chunk) {
	c.from = head.from
	c.called += head.called // if not all of head are called, none of c are
	c.events = append(head.events, c.events...)
}

// last identifies the last event; zero if there is none.
func (c *chunk) last() checkpoint.EventRef {
	if len(c.events) == 0 {
		return checkpoint.EventRef{}
	}
	e := &c.events[len(c.events)-1]
	return checkpoint.EventRef{ID: e.RecordID(), Position: e.Position}
}
