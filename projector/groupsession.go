package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// assumedTimeout is taken for the message timeout of a group that does not tell it: the shortest of the usual defaults.
const assumedTimeout = 10 * time.Second

// groupSession is the work of one member of a group. What it does with an event is that of a session; but there is no order
// to keep, nothing to resume from, and every event is answered on its own. One goroutine runs it.
type groupSession struct {
	*session
	dedupe   checkpoint.DedupeLease // nil = without
	hold     time.Duration          // how long an event may be kept while nothing can be done
	consumer source.Consumer        // nil = has left the group
	inbox    *intake[[]source.Delivery]
	taken    groupHand
	late     bool // it was said that events wait too long

	acks  []uuid.UUID         // not sent yet
	tally Commit              // not published yet
	seen  checkpoint.Position // furthest that was delivered
	heard time.Time           // when something was delivered, or joined

	proofs  int      // events handled
	down    *failure // why nothing is taken; nil = goes on
	tripped bool     // it is not one event that says so, but several that failed in a row
}

func newGroupSession(s *session) *groupSession {
	return &groupSession{session: s, taken: newGroupHand()}
}

// consume works until it is told to stop, everything is done that there was, or something is wrong.
func (g *groupSession) consume(ctx context.Context) error {
	g.caller = newCaller(g.session)
	defer g.caller.close()
	if err := g.beginGroup(ctx); err != nil {
		return err
	}
	if err := g.join(); err != nil {
		return g.end(ctx, err)
	}
	defer g.leave(ctx)
	if g.dedupe == nil {
		g.pool = newPool(ctx, g.session, g.cfg.workers)
		g.pool.keep = true
		defer g.pool.close()
		defer g.finish(ctx)
	}
	return g.end(ctx, g.work(ctx))
}

// beginGroup checks what must be right before the first event.
func (g *groupSession) beginGroup(ctx context.Context) error {
	if g.cfg.dedupe == 0 {
		return nil
	}
	lease, ok := g.session.lease.(checkpoint.DedupeLease)
	if !ok {
		return fmt.Errorf("%w: the store does not remember events", errWrongTx)
	}
	g.dedupe, g.position = lease, lease.Position()
	for _, f := range g.p.folders {
		g.folds = append(g.folds, f.NewFold(g.p.name, lease))
	}
	return g.checkTx(ctx)
}

// join becomes a consumer of the group.
func (g *groupSession) join() error {
	c, err := g.p.group.Consume(g.soft, g.cfg.limit())
	if err != nil {
		return err
	}
	timeout := c.Timeout()
	if timeout == 0 {
		timeout = assumedTimeout
	}
	g.consumer, g.inbox, g.hold, g.heard = c, receive(g.soft, 0, c.Next, func() {}), timeout/2, time.Now()
	clear(g.originals)
	clear(g.broken)
	clear(g.accepted)
	g.log.Info("joined the group", keyGroup, g.p.group.String(), keyInFlight, g.cfg.limit(), keyTimeout, timeout)
	g.showGroup()
	return nil
}

// leave gives back to the group what has no answer.
func (g *groupSession) leave(ctx context.Context) {
	if g.consumer == nil {
		return
	}
	g.answer()
	g.inbox.close()
	if ctx.Err() == nil { // it is not to be over at once
		ctx, cancel := context.WithTimeout(ctx, releaseBound)
		defer cancel()
		if err := g.consumer.Flush(ctx); err != nil {
			g.log.Debug("answers may be lost; their events come again", keyErr, err)
		}
	}
	_ = g.consumer.Close() // what has no answer comes again in any case
	g.consumer = nil
	g.taken.clear()
}

// finish waits for the handlers that are running.
func (g *groupSession) finish(ctx context.Context) {
	g.pool.forget()
	for g.pool.pending > 0 {
		r := <-g.pool.results
		if r.err != nil && ctx.Err() != nil {
			g.pool.done(r) // it was abandoned, which is not its fault
			continue
		}
		_ = g.result(r) // has no say in how the work ends, which it does already
	}
}

func (g *groupSession) work(ctx context.Context) error {
	for {
		next, err := g.advance(ctx)
		g.answer()
		if err != nil {
			return err
		}
		if g.soft.Err() != nil || g.finished(ctx) {
			return context.Cause(ctx)
		}
		if err := g.await(ctx, next); err != nil {
			return err
		}
	}
}

// advance handles what can be handled, and returns when there is more to do; zero if that is not known.
func (g *groupSession) advance(ctx context.Context) (next time.Time, err error) {
	if g.down != nil {
		if g.pool != nil {
			g.pool.forget()
			if g.pool.pending > 0 {
				return next, nil
			}
		}
		if err := g.sitOut(ctx); err != nil {
			return next, err
		}
	}
	ready, next := g.taken.take(time.Now(), g.cfg.batchSize)
	if len(ready) > 0 && g.soft.Err() == nil {
		if g.dedupe != nil {
			err = g.handle(ctx, ready)
			next = time.Now() // there may be more
		} else {
			err = g.give(ready)
		}
	}
	return next, err
}

// await waits for what comes.
func (g *groupSession) await(ctx context.Context, next time.Time) error {
	var batches <-chan []source.Delivery
	if g.down == nil {
		batches = g.inbox.batches
	}
	var jobs chan<- job
	var job job
	var results chan result
	if g.pool != nil {
		results = g.pool.results
		if g.down == nil {
			jobs, job = g.pool.next()
		}
	}
	var commands chan []checkpoint.Command
	if g.keeper != nil {
		commands = g.keeper.commands
	}
	if g.target != nil && g.taken.len() == 0 {
		next = g.heard.Add(g.cfg.onceIdle)
	}
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		due = t.C
	}
	select {
	case batch, ok := <-batches:
		if !ok {
			return g.inbox.err
		}
		g.accept(batch)
	case jobs <- job:
		g.pool.given()
	case r := <-results:
		return g.result(r)
	case c := <-commands:
		return g.refuse(ctx, c)
	case <-due:
	case <-g.soft.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// accept takes deliveries into the hand.
func (g *groupSession) accept(batch []source.Delivery) {
	now := time.Now()
	g.heard = now
	for i := range batch {
		d := &batch[i]
		g.seen = further(g.seen, d.Position)
		p, answered := g.taken.add(d, now)
		switch {
		case answered:
			g.acks = append(g.acks, d.Receipt)
		case p != nil:
			p.event = g.upcast([]source.Event{p.event})[0]
		}
	}
	g.board.hand(g.taken.oldest())
}

// answer sends acks and publishes what was done.
func (g *groupSession) answer() {
	changed := len(g.acks) > 0
	if changed && g.consumer != nil {
		g.consumer.Ack(g.acks...)
	}
	g.acks = g.acks[:0]
	if t := g.tally; t.Handled+t.Ignored+t.Skipped+t.Parked > 0 {
		t.Position = g.seen
		if g.dedupe != nil {
			t.Position = g.position
		}
		g.tally = Commit{}
		g.progress.Store(true)
		g.board.committed(t)
		changed = true
	}
	if changed {
		g.board.hand(g.taken.oldest())
		g.showGroup()
	}
}

// finished reports whether everything is done that there was at the beginning, as far as one consumer can know.
func (g *groupSession) finished(ctx context.Context) bool {
	if g.target == nil || g.down != nil {
		return false
	}
	all := g.covers(g.seen) || g.taken.doubts == g.taken.len() && g.silent(ctx)
	if all && g.taken.doubts == g.taken.len() {
		g.parkHeld() // nothing will come that could show anything
		g.answer()
	}
	return all && g.taken.len() == 0
}

// silent reports whether the group delivers nothing more: it has not for a while, and does not say that it will.
func (g *groupSession) silent(ctx context.Context) bool {
	if time.Since(g.heard) < g.cfg.onceIdle {
		return false
	}
	if m, ok := g.p.group.(source.ManagedGroup); ok {
		if waits, err := m.Waits(ctx); err == nil && waits {
			g.heard = time.Now()
			return false
		}
	}
	return true
}

// refuse answers commands: what is parked is not ours.
func (g *groupSession) refuse(ctx context.Context, commands []checkpoint.Command) error {
	defer g.keeper.executing.Store(false)
	for _, c := range commands {
		no := checkpoint.Answer{Number: c.Number, Refused: true, Text: fmt.Sprintf("%v; what it has parked is in the event store: replay it there", ErrGroup)}
		if err := g.update(ctx, checkpoint.Parking{Answers: []checkpoint.Answer{no}}); err != nil {
			return err
		}
	}
	return nil
}

// showGroup publishes the state that follows from what is in hand.
func (g *groupSession) showGroup() {
	for _, p := range g.taken.order {
		if p.attempts > 0 && !p.gone {
			g.state(StateRetrying, fmt.Sprintf("%s: attempt %d failed: %v", describe(&p.event), p.attempts, p.failure.err))
			return
		}
	}
	g.state(StateLive, "")
}

var errLate = errors.New("events wait longer than the group's message timeout and are delivered again; " +
	"take fewer at once (WithInFlight), have more workers, or give the group a longer timeout")
