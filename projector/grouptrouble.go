package projector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/photonpump/projector/projector/source"
)

const (
	// lookAgain is how long a member that has left its group because nothing can be handled tries only what it has
	// taken, before it joins again to see what else there is; twice as long each time, up to lookAgainMax. Servers count
	// how often an event was given back, and park it in the end.
	lookAgain    = time.Minute
	lookAgainMax = time.Hour
)

// fail decides what follows from a failed attempt.
func (g *groupSession) fail(p *pending, err error) error {
	if p.attempts == 0 {
		p.proofs = g.proofs
	}
	p.attempts++
	f := g.failure(err, p.attempts)
	p.failure = f
	e := &p.event
	g.board.failed(f.class, fmt.Errorf("%s: %w", describe(e), f.err))
	switch {
	case f.class == ClassInfrastructure:
		p.attempts--
		g.down, g.tripped = &p.failure, false
		return nil
	case f.final:
		return g.concede(p)
	}
	if f.delay < 0 {
		f.delay = g.delay(p.attempts)
	}
	delay := min(f.delay, g.hold) // the group would deliver it again meanwhile
	p.due = time.Now().Add(delay)
	g.log.Warn("event failed", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number, keyAttempt, p.attempts, keyDelay, delay, keyErr, f.err)
	g.showGroup()
	return nil
}

// delay is how long the policy waits after so many attempts.
func (g *groupSession) delay(attempts int) time.Duration {
	delays := g.cfg.retry.delays()
	var d time.Duration
	for range attempts {
		d = delays.NextBackOff()
	}
	return d
}

// concede does with a delivery what the policy says.
func (g *groupSession) concede(p *pending) error {
	f := &p.failure
	switch f.then {
	case ActionSkip:
		return g.passBy(p)
	case ActionPark:
		if f.doubtful && p.proofs == g.proofs { // nothing was handled since it failed first
			g.holdBack(p)
		} else {
			g.putAside(p)
		}
		return nil
	}
	event := p.event
	return &StoppedError{Projection: g.p.name, Event: &event, Class: f.class, Attempts: p.attempts, Err: f.err}
}

// passBy forgets an event because the policy says so. With dedupe it is committed as skipped with the next ones.
func (g *groupSession) passBy(p *pending) error {
	e := &p.event
	g.log.Error("event skipped", keyEventType, e.Type, keyStream, e.Stream, keyNumber, e.Number, keyReason, p.failure.class.String(), keyErr, p.failure.err)
	if g.dedupe == nil {
		g.nak(source.NakSkip, p)
		g.tally.Skipped++
		return nil
	}
	p.skip, p.due = true, time.Time{}
	return nil
}

// holdBack keeps a delivery that is to be parked until another event shows that not everything fails. If several fail before
// that, it is taken for an outage.
func (g *groupSession) holdBack(p *pending) {
	p.due = time.Now().Add(min(g.probes.NextBackOff(), g.hold))
	g.taken.hold(p)
	keys := map[string]bool{}
	for _, h := range g.taken.held() {
		keys[g.troubleKey(h)] = true
	}
	if len(keys) >= min(breakerKeys+g.opened, breakerMaxKeys) {
		g.down, g.tripped = &p.failure, true
	}
	g.showGroup()
}

// troubleKey tells failures apart that count as several.
func (g *groupSession) troubleKey(p *pending) string {
	if key, ordered := g.key(&p.event); ordered {
		return "key " + key
	}
	return p.key.receipt.String()
}

// proof notes that an event was handled. Those that are held back are tried once more, and then parked.
func (g *groupSession) proof() {
	g.proofs++
	g.opened = 0
	if g.taken.doubts > 0 && g.down == nil {
		g.probes.Reset()
		for _, p := range g.taken.held() {
			g.taken.free(p)
			p.due = time.Time{}
		}
	}
}

func (g *groupSession) parkHeld() {
	for _, p := range g.taken.held() {
		g.putAside(p)
	}
}

// sitOut waits for the end of an outage. It tries what is in hand, one event each time. The group gets its events back if
// that takes long, without a nak: it would deliver them again at once.
func (g *groupSession) sitOut(ctx context.Context) error {
	suspects := g.suspects()
	began := time.Now()
	patience := min(lookAgain<<min(g.opened, 10), lookAgainMax)
	delays := g.cfg.retry.delays()
	for i := 0; time.Since(began) < patience && len(suspects) > 0; i++ {
		delay := delays.NextBackOff()
		if g.consumer != nil && time.Since(began)+delay > g.hold {
			g.log.Warn("left the group until the outage is over", keyGroup, g.p.group.String())
			g.leave(ctx)
		}
		g.showOutage(len(suspects), delay)
		if !sleep(g.soft, delay) {
			return nil
		}
		p := suspects[i%len(suspects)]
		over, err := g.probeOne(ctx, p)
		if err != nil || over {
			g.down = nil
			return g.resume(err)
		}
		if g.consumer != nil && g.taken.known[p.key] == nil { // it has its answer
			suspects = g.suspects()
		}
	}
	g.down = nil
	g.opened++
	return g.resume(nil)
}

// suspects are the deliveries in hand, those first that have failed.
func (g *groupSession) suspects() []*pending {
	var failed, others []*pending
	for _, p := range g.taken.order {
		if p.gone {
			continue
		}
		p.given = false // what the pool had not begun it has forgotten, or will be tried now
		if p.failure.err != nil {
			failed = append(failed, p)
		} else if g.handles(p.event.Type) {
			others = append(others, p)
		}
	}
	return append(failed, others...)
}

// probeOne tries a delivery and reports whether that shows that the outage is over.
func (g *groupSession) probeOne(ctx context.Context, p *pending) (over bool, err error) {
	err = g.try(ctx, p)
	if err == nil {
		g.down = nil
		if g.dedupe != nil {
			g.acked(p)
			g.proof()
		} else {
			g.handled(p)
		}
		return true, nil
	}
	if index, somewhere := whose(err); g.dedupe != nil && index < 0 && !somewhere {
		return false, err // of the database
	}
	f := g.failure(err, max(p.attempts, g.cfg.retry.Attempts))
	g.board.failed(f.class, fmt.Errorf("%s: %w", describe(&p.event), f.err))
	switch {
	case f.class == ClassInfrastructure, g.tripped && f.doubtful:
		p.failure.err = f.err
		g.down = &p.failure
		return false, nil
	case f.final && f.then == ActionStop, g.consumer != nil:
		g.down = nil
		return true, g.fail(p, err)
	}
	g.down = nil
	return true, nil // it comes again
}

// resume goes on after an outage.
func (g *groupSession) resume(err error) error {
	if err != nil {
		return err
	}
	if g.consumer == nil {
		g.taken.clear()
		return g.join()
	}
	g.showGroup()
	return nil
}

func (g *groupSession) showOutage(suspects int, delay time.Duration) {
	reason := fmt.Sprintf("next attempt in %v: %v", delay.Round(time.Millisecond), g.down.err)
	if g.tripped {
		reason = fmt.Sprintf("several events failed in a row, so it may not be the events; %s", reason)
	}
	g.log.Warn("nothing can be handled", keyDelay, delay, keyInHand, suspects, keyErr, g.down.err)
	g.state(StatePaused, reason)
}

// cut shortens a text to so many bytes, and makes it valid UTF-8.
func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
