package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// keeper renews a lease while nothing is committed, and stores the state of the projection beside the work. Once the
// lease is lost, or may have run out, it ends the work.
type keeper struct {
	lease checkpoint.Lease
	ttl   time.Duration
	log   *slog.Logger
	lost  context.CancelCauseFunc // ends the work under the lease

	base    time.Time
	renewed atomic.Int64 // when the lease was last known to be ours, since base

	mu     sync.Mutex
	report *report       // to be stored; nil = none
	wake   chan struct{} // one slot: there is a report

	commands chan []checkpoint.Command // one slot: what the projection was asked for

	executing atomic.Bool // commands are in the channel or being executed

	stop    context.CancelFunc
	running sync.WaitGroup
}

// commandEvery is how often the database is asked for commands.
const commandEvery = time.Second

type report struct {
	state  State
	reason string
}

func keep(ctx context.Context, lease checkpoint.Lease, ttl time.Duration, log *slog.Logger, lost context.CancelCauseFunc) *keeper {
	ctx, stop := context.WithCancel(ctx)
	k := &keeper{lease: lease, ttl: ttl, log: log, lost: lost, base: time.Now(), wake: make(chan struct{}, 1), stop: stop}
	k.commands = make(chan []checkpoint.Command, 1)
	k.running.Go(func() { k.run(ctx) }) // ends with ctx
	if lease, ok := lease.(checkpoint.ParkingLease); ok {
		k.running.Go(func() { k.poll(ctx, lease) }) // ends with ctx
	}
	return k
}

// touch notes that a transaction which began at t has renewed the lease. One that began earlier and took longer does not
// count: the lease was renewed since.
func (k *keeper) touch(t time.Time) {
	at := int64(t.Sub(k.base))
	for {
		last := k.renewed.Load()
		if at <= last || k.renewed.CompareAndSwap(last, at) {
			return
		}
	}
}

// close ends the keeper and waits for it.
func (k *keeper) close() {
	k.stop()
	k.running.Wait()
}

// tell has a state stored soon. Only the last one counts.
func (k *keeper) tell(state State, reason string) {
	k.mu.Lock()
	k.report = &report{state, reason}
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	for {
		idle := time.Since(k.base) - time.Duration(k.renewed.Load())
		due := time.NewTimer(k.ttl/3 - idle)
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-k.wake:
			due.Stop()
			k.store(ctx)
		case <-due.C:
			k.renew(ctx)
		}
	}
}

// poll looks for commands. One that is on its way to the work is not sent again.
func (k *keeper) poll(ctx context.Context, lease checkpoint.ParkingLease) {
	for sleep(ctx, commandEvery) {
		if len(k.commands) > 0 || k.executing.Load() {
			continue
		}
		commands, err := lease.Commands(ctx)
		if err != nil {
			k.log.Debug("commands not known", keyErr, err)
			continue
		}
		if len(commands) > 0 && k.executing.CompareAndSwap(false, true) {
			k.commands <- commands
		}
	}
}

func (k *keeper) store(ctx context.Context) {
	k.mu.Lock()
	r := k.report
	k.report = nil
	k.mu.Unlock()
	if r == nil {
		return
	}
	// It ends before the keeper does: a statement that was given up could still be executed, after what is stored last.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(k.ttl/3, releaseBound))
	defer cancel()
	if err := k.lease.Report(ctx, string(r.state), r.reason); err != nil && ctx.Err() == nil {
		k.log.Debug("state not stored", keyErr, err)
	}
}

// renew tries until the lease is renewed or lost. It may still be ours when it has run out by our clock, but nobody can
// tell, so the work ends.
func (k *keeper) renew(ctx context.Context) {
	for {
		began := time.Now()
		err := k.attempt(ctx)
		idle := time.Since(k.base) - time.Duration(k.renewed.Load())
		switch {
		case err == nil:
			k.touch(began)
			return
		case ctx.Err() != nil:
			return
		case errors.Is(err, checkpoint.ErrFenced):
			k.lost(err)
			return
		case idle < k.ttl/3: // a commit renewed it meanwhile
			return
		case idle >= k.ttl:
			k.lost(fmt.Errorf("%w: %w", errLeaseLapsed, err))
			return
		}
		k.log.Warn("lease not renewed, trying again", keyErr, err)
		if !sleep(ctx, min(k.ttl/10, k.ttl-idle)) {
			return
		}
	}
}

func (k *keeper) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.ttl/3)
	defer cancel()
	return k.lease.Renew(ctx)
}

// sleep waits, and reports whether it was for the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
