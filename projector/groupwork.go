package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// give has the pool handle deliveries.
func (g *groupSession) give(ready []*pending) error {
	for _, p := range ready {
		if g.down != nil {
			break
		}
		if err := g.checkEvent(&p.event); err != nil {
			if err := g.fail(p, &EventError{Class: classOf(err), Err: err}); err != nil {
				return err
			}
			continue
		}
		if g.route(p.event.Type).effect == nil || g.replayed(&p.event) {
			g.handled(p)
			continue
		}
		p.given = true
		key, ordered := g.key(&p.event)
		g.pool.add(job{event: &p.event, of: p, lane: key, free: !ordered})
	}
	return nil
}

// key returns the ordering key of an event, if the projection names one. Order is kept as far as that goes: among the events
// that are in hand and do not fail.
func (g *groupSession) key(e *source.Event) (string, bool) {
	if g.cfg.orderBy == nil {
		return "", false
	}
	key, err := guardKey(g.cfg.orderBy, e)
	return key, err == nil
}

// result takes the result of a handler.
func (g *groupSession) result(r result) error {
	g.pool.done(r)
	p := r.of
	p.given = false
	if wait := time.Since(p.since); wait > 2*g.hold && !g.late {
		g.late = true
		g.log.Warn("event answered late", keyEventType, p.event.Type, keyStream, p.event.Stream, keyNumber, p.event.Number,
			keyDelay, wait, keyErr, errLate)
	}
	if r.err != nil {
		return g.fail(p, r.err)
	}
	g.handled(p)
	return nil
}

// handle handles deliveries in one transaction, or in several if one of them fails.
func (g *groupSession) handle(ctx context.Context, ready []*pending) error {
	fresh, err := g.fresh(ctx, ready)
	if err != nil {
		return err
	}
	return g.applyAll(ctx, fresh)
}

// fresh acks what was handled before, and returns the others.
func (g *groupSession) fresh(ctx context.Context, ready []*pending) ([]*pending, error) {
	ids := make([]uuid.UUID, len(ready))
	for i, p := range ready {
		ids[i] = p.id()
	}
	known, err := g.dedupe.Known(ctx, ids)
	if err != nil {
		return nil, err
	}
	fresh := make([]*pending, 0, len(ready))
	for i, p := range ready {
		if known[ids[i]] {
			g.log.Debug("event was handled before", keyStream, p.event.Stream, keyNumber, p.event.Number)
			g.acked(p)
			continue
		}
		known[ids[i]] = true // it may be there twice: parked, replayed and delivered again
		fresh = append(fresh, p)
	}
	return fresh, nil
}

// applyAll handles deliveries that were not handled before. After a failure those around the one that has failed are tried
// without it.
func (g *groupSession) applyAll(ctx context.Context, ps []*pending) error {
	if len(ps) == 0 || g.down != nil {
		return nil
	}
	err := g.commitAll(ctx, ps)
	if err == nil {
		for _, p := range ps {
			g.acked(p)
			if g.handles(p.event.Type) {
				g.proof()
			}
		}
		return nil
	}
	index, somewhere := whose(err)
	switch {
	case somewhere && len(ps) == 1:
		return g.fail(ps[0], err)
	case somewhere:
		if err := g.applyAll(ctx, ps[:len(ps)/2]); err != nil {
			return err
		}
		return g.applyAll(ctx, ps[len(ps)/2:])
	case index < 0:
		return err
	}
	if err := g.applyAll(ctx, ps[:index]); err != nil {
		return err
	}
	if err := g.fail(ps[index], first(err)); err != nil {
		return err
	}
	return g.applyAll(ctx, ps[index+1:])
}

// commitAll folds, calls and commits deliveries together.
func (g *groupSession) commitAll(ctx context.Context, ps []*pending) error {
	c := chunk{from: g.position, to: g.position}
	events := make([]source.Event, len(ps))
	c.dedupe = checkpoint.Dedupe{IDs: make([]uuid.UUID, len(ps)), Window: g.cfg.dedupe}
	for i, p := range ps {
		events[i] = p.event
		c.dedupe.IDs[i] = p.id()
		c.to = further(c.to, p.event.Position)
		if p.called {
			c.setCalled(i)
		}
		if p.skip {
			events[i].Type = ""
			c.skipped++
		}
	}
	c.add(events)
	err := g.session.apply(ctx, &c)
	for i, p := range ps {
		p.called = c.isCalled(i)
	}
	return err
}

// try handles one delivery, here and now.
func (g *groupSession) try(ctx context.Context, p *pending) error {
	if g.dedupe != nil {
		fresh, err := g.fresh(ctx, []*pending{p})
		if err != nil || len(fresh) == 0 {
			return err
		}
		return g.commitAll(ctx, fresh)
	}
	if err := g.checkEvent(&p.event); err != nil {
		return &EventError{Class: classOf(err), Err: err}
	}
	h := g.route(p.event.Type).effect
	if h == nil || g.replayed(&p.event) {
		return nil
	}
	return g.caller.call(ctx, h, nil, &p.event)
}

// handled notes that a delivery was handled, or ignored. With dedupe the commit has counted it.
func (g *groupSession) handled(p *pending) {
	g.acked(p)
	if !g.handles(p.event.Type) {
		g.tally.Ignored++
		return
	}
	g.tally.Handled++
	g.proof()
}

// acked gives a delivery the answer that nothing is left to do.
func (g *groupSession) acked(p *pending) {
	g.acks = append(g.acks, p.key.receipt)
	g.settled(p, true)
}

// settled forgets a delivery that has its answer.
func (g *groupSession) settled(p *pending, acked bool) {
	g.taken.remove(p, acked)
	g.forgetEvent(p.event.RecordID())
}

// putAside has the group park a delivery.
func (g *groupSession) putAside(p *pending) {
	e := &p.event
	g.log.Error("event parked by the group", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number,
		keyReason, p.failure.class.String(), keyErr, p.failure.err)
	g.nak(source.NakPark, p)
	g.tally.Parked++
}

// maxReason bounds the reason that goes with a nak, in bytes. The group stores it with the event.
const maxReason = 4 << 10

// nak gives a delivery an answer with a reason.
func (g *groupSession) nak(action source.NakAction, p *pending) {
	f := &p.failure
	reason := fmt.Sprintf("projection %s, %d attempts, %v error: %v", g.p.name, p.attempts, f.class, f.err)
	if g.consumer != nil {
		g.consumer.Nak(action, cut(reason, maxReason), p.key.receipt)
	}
	g.settled(p, false)
}
