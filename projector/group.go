package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// DefaultOnceIdle is how long a group must be silent for a run with [Once] to be done, unless [WithOnceIdle] says otherwise.
const DefaultOnceIdle = 2 * time.Second

// ErrGroup means that something was asked of a projection that reads a group, and only makes sense where the projection
// keeps the position itself.
var ErrGroup = errors.New("the projection reads a group, which keeps the position itself")

// WithDedupe lets a projection that reads a group have tables and handlers of [OnTx]: the ids of the events that it has handled
// are kept in the same transaction as what they did, for so long at least, and an event that is delivered again meanwhile is
// acked and nothing else. The window must be longer than an event can take to come again: through an outage, or a replay of
// what the group has parked although it was handled.
//
// Such a projection has a lease like any other: one process takes events from the group, the others stand by. Its handlers
// of [On] run one after the other.
func WithDedupe(window time.Duration) Setting {
	return setting(func(s *settings) { s.dedupe = window })
}

// WithInFlight sets how many events a projection takes from a group before the first of them is answered. More are faster;
// but all of them should be handled within the group's message timeout, after which the group delivers them again. Defaults
// to 8 and two for each worker, or with [WithDedupe] to the size of a batch, at most 500.
func WithInFlight(n int) Tuning { return tuning(func(s *settings) { s.inFlight = n }) }

// WithOnceIdle sets when a run with [Once] is done with a group that does not deliver the last event of its stream, because it
// has done so before, or to another consumer: when it has delivered nothing for so long, and does not say that it
// has something to deliver. Defaults to [DefaultOnceIdle].
func WithOnceIdle(d time.Duration) Tuning { return tuning(func(s *settings) { s.onceIdle = d }) }

// dedupeInFlight is how many events are in flight at most with WithDedupe, unless WithInFlight says otherwise: the usual
// buffer of a group.
const dedupeInFlight = 500

// limit is how many events may be in flight.
func (s *settings) limit() int {
	switch {
	case s.inFlight > 0:
		return s.inFlight
	case s.dedupe > 0:
		return min(s.batchSize, dedupeInFlight)
	}
	return 8 + 2*s.workers
}

// checkGroup reports settings and parts that do not go together with what a projection reads.
func (p *Projection) checkGroup(s *settings, store checkpoint.Store) error {
	if p.group == nil {
		if s.dedupe != 0 {
			return fmt.Errorf("projection %q: %w: WithDedupe is for groups; here the position sees to it that no event counts twice", p.name, ErrInvalidOption)
		}
		return nil
	}
	var errs []error
	if s.dedupe == 0 && len(p.txs)+len(p.folders) > 0 {
		errs = append(errs, fmt.Errorf("projection %q: tables and OnTx would count events twice, as %s may deliver one again: "+
			"give it WithDedupe, dedupe in YAML", p.name, p.group))
	}
	if _, ok := store.(checkpoint.DedupeStore); s.dedupe != 0 && !ok {
		errs = append(errs, fmt.Errorf("projection %q: WithDedupe: the store does not remember events", p.name))
	}
	if s.findStart != nil || !s.start.IsStart() {
		errs = append(errs, fmt.Errorf("projection %q: %w: StartAt, StartAtEnd and StartAtTime: %w; where it begins is one of the group's settings",
			p.name, ErrInvalidOption, ErrGroup))
	}
	if s.parkWhole {
		errs = append(errs, fmt.Errorf("projection %q: %w: ParkProjection: %w, and parks each event on its own", p.name, ErrInvalidOption, ErrGroup))
	}
	return errors.Join(errs...)
}

// unleased stands for the lease of who needs none.
type unleased struct{ checkpoint.Lease }

// Epoch implements [checkpoint.Lease].
func (unleased) Epoch() int64 { return 0 }

// Position implements [checkpoint.Lease].
func (unleased) Position() checkpoint.Position { return checkpoint.Position{} }

// consume works as a member of a group, without a lease. It reports whether anything was answered.
func (t *task) consume(stop, hard context.Context) (progress bool, err error) {
	t.board.set(StateStarting, "")
	ctx, lost := context.WithCancelCause(hard)
	defer lost(nil)
	soft, soften := context.WithCancel(ctx)
	defer soften()
	defer context.AfterFunc(stop, soften)()
	s := newSession(soft, t, unleased{}, nil)
	err = supervise(ctx, s, lost)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, ErrHandlerStuck) {
		err = cause
	}
	return s.progress.Load(), err
}
