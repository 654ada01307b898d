package projector

import (
	"fmt"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// chunk is a run of events that follows a known position. An event that is diverted or skipped has lost its type here, so that
// nobody handles it.
type chunk struct {
	run
	from     checkpoint.Position
	to       checkpoint.Position // after all events, and whatever the source passed over behind them
	called   []bool              // by index: has had its side effect; shorter than the run if none of the rest has
	diverted []diverted          // in order of their index
	skipped  int64               // so many of the events have lost their type because they are skipped
	dedupe   checkpoint.Dedupe   // of a group; such a chunk is neither cut nor glued
}

// diverted is an event of a chunk that is parked instead of handled.
type diverted struct {
	index    int
	event    source.Event
	key      string
	err      error // why; nil = it waits behind another event of its key
	class    string
	tries    tries
	doubtful bool // perhaps it is not the event but everything that fails
}

// empty reports whether there is nothing to commit.
func (c *chunk) empty() bool { return c.len() == 0 && c.from == c.to }

// receive appends what the source has delivered.
func (c *chunk) receive(b source.Batch) {
	c.add(b.Events)
	c.to = b.Position
}

// cut takes the first n events off c and returns them as a chunk of their own. All of them take the position along.
func (c *chunk) cut(src source.Source, n int) chunk {
	k := min(n, len(c.called))
	head := chunk{run: c.run.cut(n), from: c.from, to: c.to, called: c.called[:k:k]}
	if c.len() > 0 {
		head.to = c.from
		for _, events := range head.slices(0, n) {
			head.to = src.Advance(head.to, events)
		}
	}
	c.from, c.called = head.to, c.called[k:]
	split := slices.IndexFunc(c.diverted, func(d diverted) bool { return d.index >= n })
	if split < 0 {
		split = len(c.diverted)
	}
	head.skipped, c.skipped = c.skipped, 0 // skipped events are at the beginning
	head.diverted, c.diverted = c.diverted[:split:split], shift(c.diverted[split:], -n)
	return head
}

// glue puts head, cut off before, in front of c again.
func (c *chunk) glue(head chunk) {
	c.from = head.from
	c.skipped += head.skipped
	if len(c.called) > 0 {
		head.called = append(slices.Grow(head.called, head.len()), make([]bool, head.len()-len(head.called))...)
	}
	c.called = append(head.called, c.called...)
	c.diverted = append(head.diverted, shift(c.diverted, head.len())...)
	c.run.glue(head.run)
}

func shift(ds []diverted, by int) []diverted {
	shifted := slices.Clone(ds)
	for i := range shifted {
		shifted[i].index += by
	}
	return shifted
}

// divert takes an event out of the handlers' sight.
func (c *chunk) divert(d diverted) {
	e := c.edit(d.index)
	d.event = *e
	e.Type, e.Data, e.Metadata = "", nil, nil
	at, _ := slices.BinarySearchFunc(c.diverted, d.index, func(x diverted, i int) int { return x.index - i })
	c.diverted = slices.Insert(c.diverted, at, d)
}

// isCalled reports whether the i-th event has had its side effect.
func (c *chunk) isCalled(i int) bool { return i < len(c.called) && c.called[i] }

// setCalled notes that the i-th event has had its side effect.
func (c *chunk) setCalled(i int) {
	if i >= len(c.called) {
		c.called = append(c.called, make([]bool, i+1-len(c.called))...)
	}
	c.called[i] = true
}

// restore makes all events those they were.
func (c *chunk) restore() {
	for _, d := range c.diverted {
		*c.edit(d.index) = d.event
	}
	c.diverted = nil
}

// doubtful counts the different keys of the diverted events for which the cause is not known to be the event itself.
func (c *chunk) doubtful() int {
	if len(c.diverted) == 0 {
		return 0
	}
	keys := map[string]bool{}
	for _, d := range c.diverted {
		if d.doubtful {
			keys[d.key] = true
		}
	}
	return len(keys)
}

// lastFailure describes the last diverted event that failed itself.
func (c *chunk) lastFailure() string {
	for _, d := range slices.Backward(c.diverted) {
		if d.err != nil {
			return fmt.Sprintf("%s failed: %v", describe(&d.event), d.err)
		}
	}
	return ""
}

// last identifies the last event; zero if there is none.
func (c *chunk) last() checkpoint.EventRef {
	if c.len() == 0 {
		return checkpoint.EventRef{}
	}
	e := c.at(c.len() - 1)
	return checkpoint.EventRef{ID: e.RecordID(), Position: e.Position}
}

// parked are the diverted events as the store keeps them.
func (c *chunk) parked(original func(source.Event) source.Event, redact func(*checkpoint.Parked)) []checkpoint.Parked {
	if len(c.diverted) == 0 {
		return nil
	}
	rows := make([]checkpoint.Parked, len(c.diverted))
	for i := range c.diverted {
		rows[i] = c.diverted[i].row(original(c.diverted[i].event))
		if redact != nil {
			redact(&rows[i])
		}
	}
	return rows
}

func (d *diverted) row(e source.Event) checkpoint.Parked {
	row := checkpoint.Parked{
		Key: d.key, Position: e.Position, ID: e.ID, Type: e.Type, Stream: e.Stream, EventNo: e.Number,
		Data: e.Data, Metadata: e.Metadata, JSON: e.JSON, Created: e.Created,
		Attempts: d.tries.count, FirstTried: d.tries.first, Tried: d.tries.last, Class: d.class,
	}
	if d.err != nil {
		row.Error = d.err.Error()
	}
	if l := e.Link; l != nil {
		row.Link = &checkpoint.ParkedLink{ID: l.ID, Stream: l.Stream, Number: l.Number, Unresolved: l.Unresolved}
	}
	return row
}

// eventOf is the event that was parked.
func eventOf(row *checkpoint.Parked) source.Event {
	e := source.Event{
		ID: row.ID, Type: row.Type, Stream: row.Stream, Number: row.EventNo, Data: row.Data, Metadata: row.Metadata,
		JSON: row.JSON, Created: row.Created, Position: row.Position,
	}
	if l := row.Link; l != nil {
		e.Link = &source.Link{ID: l.ID, Stream: l.Stream, Number: l.Number, Unresolved: l.Unresolved}
	}
	return e
}
