package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// ErrUnknownProjection means that the runner has no projection of that name.
var ErrUnknownProjection = errors.New("unknown projection")

// askEvery is how often the database is asked for what another process does.
const askEvery = 100 * time.Millisecond

func (r *Runner) task(name string) (*task, error) {
	for _, t := range r.tasks {
		if t.p.name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownProjection, name)
}

// WaitFor waits until a projection has handled everything up to a position, so that what was written there can be read from
// its tables. It fails at once, with the reason, when the projection stops; and with that of ctx when it ends. It works as
// well while another process owns the projection.
func (r *Runner) WaitFor(ctx context.Context, projection string, at checkpoint.Position) error {
	t, err := r.task(projection)
	if err == nil && t.p.group != nil {
		err = fmt.Errorf("wait for projection %q: %w: nobody can tell what is handled up to a position", projection, ErrGroup)
	}
	if err != nil {
		return err
	}
	for {
		changed := t.board.change()
		st := t.status()
		done, err := t.past(ctx, &st, at)
		switch {
		case err != nil || done:
			return err
		case st.State == StateStopped:
			return stoppedBefore(&st, at)
		}
		if err := t.wait(ctx, &st, changed); err != nil {
			return fmt.Errorf("wait for projection %q to reach %v, at %v now: %w", projection, at, st.Position, err)
		}
	}
}

// past reports whether the projection has reached a position, here or in another process.
func (t *task) past(ctx context.Context, st *Status, at checkpoint.Position) (bool, error) {
	if t.shards != nil {
		return t.shards.past(ctx, at)
	}
	position := st.Position
	if st.Epoch == 0 {
		known, err := t.stored(ctx)
		if err != nil || known == nil {
			return false, err
		}
		position = known.Position
	}
	order, ok := position.Compare(at)
	if !position.SameKind(at) {
		return false, fmt.Errorf("projection %q is at %v, which cannot be compared with %v", t.p.name, position, at)
	}
	return ok && order >= 0, nil
}

// status is what the projection is doing in this process.
func (t *task) status() Status {
	if t.shards != nil {
		return t.shards.status()
	}
	return t.board.snapshot()
}

func stoppedBefore(st *Status, at checkpoint.Position) error {
	if st.LastError != nil {
		return fmt.Errorf("projection %q has not reached %v: %w", st.Name, at, st.LastError)
	}
	return fmt.Errorf("projection %q has stopped at %v, before %v", st.Name, st.Position, at)
}

// wait returns when the projection may have moved.
func (t *task) wait(ctx context.Context, st *Status, changed <-chan struct{}) error {
	var ask <-chan time.Time
	if st.Epoch == 0 || st.ShardsHere < st.Shards && st.Shards > 1 {
		timer := time.NewTimer(askEvery)
		defer timer.Stop()
		ask = timer.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed:
	case <-ask:
	}
	return nil
}

// Execute sends a command to the owner of a projection and waits for its answer, which says if it was refused. If nobody
// owns the projection, this process takes the lease, executes the command itself, and releases the lease. A projection that is
// divided into shards is one thing here too, see [Send].
func (r *Runner) Execute(ctx context.Context, projection string, c checkpoint.Command) (checkpoint.Command, error) {
	t, err := r.task(projection)
	if err == nil && t.p.group != nil {
		err = fmt.Errorf("projection %q: %w; what it has parked is in the event store: replay it there", projection, ErrGroup)
	}
	if err != nil {
		return c, err
	}
	store, ok := r.store.(checkpoint.ParkingStore)
	if !ok {
		return c, errors.New("the store does not keep parked events")
	}
	request, err := Send(ctx, store, projection, c)
	if err != nil {
		return c, err
	}
	for {
		answer, done, err := request.Answer(ctx)
		if err != nil || done {
			return answer, err
		}
		for _, t := range t.leases() {
			err := t.executeHere(ctx)
			if err != nil && !errors.Is(err, checkpoint.ErrHeld) && !errors.Is(err, checkpoint.ErrFenced) {
				return c, err
			}
		}
		if !sleep(ctx, askEvery) {
			return c, fmt.Errorf("wait for the answer of projection %q: %w", projection, context.Cause(ctx))
		}
	}
}

// leases are the tasks that have one each.
func (t *task) leases() []*task {
	if t.shards == nil {
		return []*task{t}
	}
	all := make([]*task, len(t.shards.all))
	for i, s := range t.shards.all {
		all[i] = s.task
	}
	return all
}

// executeHere executes all commands of a projection that nobody owns, this runner no more than others.
func (t *task) executeHere(ctx context.Context) error {
	claim := t.claim()
	claim.Instance = uuid.New()
	lease, err := t.store.Acquire(ctx, claim)
	if err != nil {
		return err
	}
	work, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	k := keep(work, lease, t.opts.ttl, t.log, lost)
	s := newSession(work, t, lease, k)
	s.caller = newCaller(s)
	if err = s.begin(work); err == nil {
		var commands []checkpoint.Command
		if commands, err = s.parking.Commands(work); err == nil {
			err = s.execute(work, commands)
		}
	}
	k.close()
	t.release(ctx, lease, err)
	return err
}
