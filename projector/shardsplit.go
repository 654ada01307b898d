package projector

import (
	"context"
	"fmt"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// everyShard has a splitter make the parts of all shards.
const everyShard = -1

// split is what each shard gets of a batch, by its number.
type split []share

type share struct {
	events []source.Event
	gaps   []gap
}

// gap says that events are missing before one.
type gap struct {
	event   *source.Event
	missing int64
}

// splitter finds out which shard the events of a subscription belong to. It is used by one goroutine.
type splitter struct {
	set    *shardSet
	before checkpoint.Position // of the next batch
	last   lastSeen            // seen so far
}

func (h *hub) splitter(after checkpoint.Position) *splitter {
	return &splitter{set: h.shards, before: after, last: numbersAt(after)}
}

// split makes the parts of a batch, or only that of one shard. If an event comes that can be given to none, the batch ends
// before it, and the error says why the projection has to stop there: each of its shards, or the event would be lost once its
// key is known.
func (sp *splitter) split(b source.Batch, only int) (sharedBatch, error) {
	set := sp.set
	if set == nil {
		return sharedBatch{Batch: b}, nil
	}
	parts := make(split, set.n)
	for i := range b.Events {
		e := &b.Events[i]
		missing, _ := sp.last.missing(e)
		n, err := set.shardOf(e)
		if missing > 0 && set.cfg.gaps == UnhandledStop {
			err = &StoppedError{Projection: set.p.name, Event: e, Class: ClassConfiguration, Err: &barrier{gapError(missing)}}
		}
		if err != nil {
			b = source.Batch{Position: set.p.source.Advance(sp.before, b.Events[:i])}
			return sharedBatch{Batch: b, split: parts}, err
		}
		if only != everyShard && n != only {
			continue
		}
		p := &parts[n]
		p.events = append(p.events, *e)
		if missing > 0 {
			p.gaps = append(p.gaps, gap{e, missing})
		}
	}
	sp.before, b.Events = b.Position, nil
	return sharedBatch{Batch: b, split: parts}, nil
}

// shardOf returns the shard of an event.
func (ss *shardSet) shardOf(e *source.Event) (int, error) {
	upcasted, broken := ss.upcast(e)
	key, err := ss.keyOf(upcasted, broken)
	switch {
	case err == nil:
		return ShardOf(key, ss.n), nil
	case !ss.p.handles(upcasted.Type), ss.cfg.decodeThen() == ActionSkip:
		return ShardOf("stream "+e.Stream, ss.n), nil // it is passed over anyway
	}
	return 0, &StoppedError{
		Projection: ss.p.name, Event: e, Class: ClassDecode,
		Err: &barrier{fmt.Errorf("its ordering key is not known, so nor is its shard: %w; give events a key that needs no body "+
			"(order_by, OrderBy), or pass such events over (decode_errors: skip, WithDecodeErrors)", err)},
	}
}

// barrier is an error that each shard meets by itself, once it has done everything before.
type barrier struct{ err error }

func (b *barrier) Error() string { return b.err.Error() }
func (b *barrier) Unwrap() error { return b.err }

// upcast brings a copy of an event to the version that handlers know, as the session does that gets it.
func (ss *shardSet) upcast(e *source.Event) (upcasted *source.Event, broken bool) {
	u := ss.cfg.upcasters
	if u == nil || !u.Concerns(e.Type) {
		return e, false
	}
	eventType, data, err := u.Upcast(e.Type, e.Data, e.Metadata)
	if err != nil {
		return e, true
	}
	c := *e
	c.Type, c.Data = eventType, data
	return &c, false
}

// subscribe reads for all shards, with other projections that read the same.
func (ss *shardSet) subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	return ss.task.subscribe(ctx, after)
}

// subscribe follows the subscription of the set.
func (s *shard) subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	h := s.set.hub
	f := &follower{hub: h, shard: s, position: after}
	h.mu.Lock()
	defer s.joined()
	defer h.mu.Unlock()
	h.follow(ctx, f)
	return f, nil
}

// findNear returns the index of the batch that follows the position of a shard, if the feed has not passed that, and is not far
// behind it either: the shard is given nothing that it has had.
func (fd *feed) findNear(p checkpoint.Position) (i, skip int, ok bool) {
	if order, ok := fd.before.Compare(p); !ok || order > 0 {
		if fd.opened || !ok || !isNear(p, fd.before) {
			return 0, 0, false
		}
		fd.before = p // reading begins with the rearmost
	}
	at := fd.before
	for ; i < len(fd.batches); i++ {
		order, ok := fd.batches[i].Position.Compare(p)
		if !ok && at != p {
			return 0, 0, false
		}
		if !ok || order > 0 {
			return i, 0, true
		}
		at = fd.batches[i].Position
	}
	return i, 0, isNear(at, p)
}

const (
	// nearEvents is how many events a shard may be ahead of a shared subscription to wait for it.
	nearEvents = 10_000
	// nearBytes is the same for positions in the log.
	nearBytes = 16 << 20
)

func isNear(behind, ahead checkpoint.Position) bool {
	if behind == ahead {
		return true
	}
	if n := behind.EventsUntil(ahead); n >= 0 {
		return n <= nearEvents
	}
	a, _, okA := behind.Log()
	b, _, okB := ahead.Log()
	return okA && okB && b-a <= nearBytes
}

// part makes what the follower of a shard gets of a batch: the events of his own that he has not had, up to the target of the
// set if that has one. All shards end exactly there.
func (f *follower) part(b source.Batch, parts split) source.Batch {
	if f.shard == nil {
		return b
	}
	b.Events = nil
	target := f.shard.set.target
	if parts != nil {
		own := parts[f.shard.index]
		b.Events = within(own.events, f.position, target)
		for _, g := range own.gaps {
			if len(within([]source.Event{*g.event}, f.position, target)) > 0 {
				f.shard.gap(g.event, g.missing)
			}
		}
	}
	if order, ok := b.Position.Compare(f.position); ok && order < 0 {
		b.Position = f.position // it joined a feed that is behind it
	}
	if target != nil {
		b.Position, b.Live = upTo(b.Position, *target, b.Live)
	}
	return b
}

// within returns the events behind a position, up to a target if there is one.
func within(events []source.Event, after checkpoint.Position, target *checkpoint.Position) []source.Event {
	outside := func(e *source.Event) bool { return covered(after, e) || target != nil && !covered(*target, e) }
	if _, several := after.Numbers(); several { // they are in no order
		if slices.ContainsFunc(events, func(e source.Event) bool { return outside(&e) }) {
			events = slices.DeleteFunc(slices.Clone(events), func(e source.Event) bool { return outside(&e) })
		}
		return events
	}
	from, to := 0, len(events)
	for from < to && covered(after, &events[from]) {
		from++
	}
	for target != nil && to > from && !covered(*target, &events[to-1]) {
		to--
	}
	return events[from:to:to]
}

// covered reports whether a position is at or behind an event, which can be told even where positions of several streams
// cannot be compared.
func covered(p checkpoint.Position, e *source.Event) bool {
	if seen, ok := p.Numbers(); ok {
		stream, n, _ := numbered(e)
		last, known := seen[stream]
		return known && n <= last
	}
	order, ok := e.Position.Compare(p)
	return ok && order <= 0
}

// upTo ends a position at a target.
func upTo(p, target checkpoint.Position, live bool) (checkpoint.Position, bool) {
	if order, ok := p.Compare(target); live || ok && order >= 0 {
		return target, true
	}
	have, ok := p.Numbers()
	if !ok {
		return p, live
	}
	ends, _ := target.Numbers()
	for stream, n := range have {
		if end, known := ends[stream]; !known {
			delete(have, stream)
		} else {
			have[stream] = min(n, end)
		}
	}
	return checkpoint.AtNumbers(have), live
}
