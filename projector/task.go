package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// headEvery is how often a source is asked for its end, and how long it may take to answer before it counts as away.
const headEvery = 5 * time.Second

// task runs one projection: it waits for the lease, works under it, and begins again after an outage.
type task struct {
	p     *Projection
	store checkpoint.Store
	opts  *config
	cfg   settings
	log   *slog.Logger
	board *board
	whole bool // all events have one ordering key
	calls []HandlerHook
	hub   *hub // shared with other projections; nil = reads alone

	lease  string    // its name
	shard  *shard    // that this is the work on; nil = on all of the projection
	shards *shardSet // that do the work instead; nil = there are none

	ensured bool                 // the tables are there
	target  *checkpoint.Position // done when it is reached; nil = never
	doubt   *flight              // its commit ended with an unknown outcome
	tries   map[uuid.UUID]tries  // at events that have failed and are neither handled nor parked, by RecordID
}

func newTask(p *Projection, store checkpoint.Store, opts *config, cfg settings) *task {
	return &task{
		p: p, store: store, opts: opts, cfg: cfg, lease: p.name,
		log:   opts.logger.With(keyProjection, p.name),
		board: newBoard(p, opts.hooks), tries: make(map[uuid.UUID]tries), calls: opts.hooks.handlerHooks(),
		whole: cfg.parkWhole || cfg.orderBy == nil && p.crossing() != "",
	}
}

// work returns nil when stop has ended or the target is reached, else why the projection has stopped. hard ends when
// everything is to be dropped.
func (t *task) work(stop, hard context.Context) error {
	if t.shards != nil {
		return t.shards.work(stop, hard)
	}
	delays := t.cfg.retry.delays()
	for {
		progress, err := t.attempt(stop, hard)
		if progress {
			delays.Reset()
		}
		switch {
		case hard.Err() != nil && !isStopped(err):
			return t.stopped(fmt.Errorf("projection %q: %w", t.p.name, context.Cause(hard)))
		case err == nil, stop.Err() != nil && !isStopped(err):
			return t.stopped(nil)
		case errors.Is(err, errGivenUp):
			continue
		case errors.Is(err, checkpoint.ErrFenced):
			t.log.Info("lease lost", keyErr, err)
			if !progress {
				sleep(stop, delays.NextBackOff())
			}
			continue
		case classifySystem(t.store, err) != ClassInfrastructure:
			return t.stopped(err)
		}
		t.pause(stop, delays.NextBackOff(), err)
	}
}

func isStopped(err error) bool {
	var stopped *StoppedError
	return errors.As(err, &stopped)
}

// stopped publishes the end, and makes its reason a *StoppedError.
func (t *task) stopped(err error) error {
	if err == nil {
		t.board.set(StateStopped, "")
		t.log.Info("projection ended")
		return nil
	}
	if !isStopped(err) {
		err = &StoppedError{Projection: t.p.name, Class: ClassConfiguration, Err: err}
	}
	t.board.failed(classifySystem(t.store, err), err)
	t.board.set(StateStopped, err.Error())
	t.log.Error("projection stopped", keyErr, err)
	return err
}

// pause waits for an outage to end.
func (t *task) pause(stop context.Context, delay time.Duration, err error) {
	t.board.failed(ClassInfrastructure, err)
	t.board.set(StatePaused, fmt.Sprintf("next attempt in %v: %v", delay.Round(time.Millisecond), err))
	t.log.Warn("projection paused", keyDelay, delay, keyErr, err)
	sleep(stop, delay)
}

// attempt waits for the lease and works under it. It reports whether anything was committed.
func (t *task) attempt(stop, hard context.Context) (progress bool, err error) {
	defer t.absent()
	if t.opts.once && t.target == nil {
		head, err := t.p.Source().Head(stop)
		if err != nil {
			return false, fmt.Errorf("ask for the end of %s: %w", t.p.Source(), err)
		}
		t.target = &head
		t.board.head(head)
	}
	if t.p.group != nil && t.cfg.dedupe == 0 {
		return t.consume(stop, hard)
	}
	if err := t.ensureTables(stop); err != nil {
		return false, err
	}
	if err := t.findStart(stop); err != nil {
		return false, err
	}
	lease, err := t.acquire(stop)
	if lease == nil {
		return false, err
	}
	t.board.own(lease)
	t.settleDoubt(lease.Position())
	t.board.set(StateStarting, "")
	t.log.Info("lease acquired", keyEpoch, lease.Epoch(), keyPosition, lease.Position().String())

	ctx, lost := context.WithCancelCause(hard)
	defer lost(nil)
	if t.shard != nil {
		var disown func(error) error
		stop, disown = t.shard.own(stop)
		defer func() { err = disown(err) }()
	}
	soft, soften := context.WithCancel(ctx)
	defer soften()
	defer context.AfterFunc(stop, soften)()
	k := keep(ctx, lease, t.opts.ttl, t.log, lost)
	s := newSession(soft, t, lease, k)
	err = supervise(ctx, s, lost)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, ErrHandlerStuck) {
		err = cause
	}
	k.close()
	t.release(hard, lease, err)
	t.board.disown()
	return s.progress.Load(), err
}

// supervise runs a session and returns when it does, or when a handler keeps it from returning. Its goroutine is given up
// then: what it would still commit comes too late.
func supervise(ctx context.Context, s *session, lost context.CancelCauseFunc) error {
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }() // ends with the session, unless a handler never returns
	select {
	case err := <-done:
		return err
	case err := <-s.stuck:
		lost(err)
		return err
	case <-ctx.Done():
	}
	d := sessionGrace
	if errors.Is(context.Cause(ctx), ErrShutdownBound) {
		d = shutdownGrace
	}
	grace := time.NewTicker(d / graceSteps)
	defer grace.Stop()
	for range graceSteps {
		select {
		case err := <-done:
			return err
		case err := <-s.stuck:
			return err
		case <-grace.C:
		}
	}
	return &StoppedError{Projection: s.p.name, Class: ClassHandler, Err: fmt.Errorf("%w: %w", ErrHandlerStuck, context.Cause(ctx))}
}

// findStart asks the source where a projection starts that the store does not know.
func (t *task) findStart(ctx context.Context) error {
	if t.cfg.findStart == nil {
		return nil
	}
	known, err := t.stored(ctx)
	if err == nil && known == nil {
		t.cfg.start, err = t.cfg.findStart(ctx, t.p.source)
	}
	if err == nil {
		t.cfg.findStart = nil
	}
	return err
}

// ensureTables makes the tables, before the store notes by which definition they are built.
func (t *task) ensureTables(ctx context.Context) error {
	if t.ensured {
		return nil
	}
	err := t.p.ensureTables(ctx, t.store, t.cfg.start)
	t.ensured = err == nil
	return err
}

// stored returns what the store knows of the projection; nil if nothing.
func (t *task) stored(ctx context.Context) (*checkpoint.Status, error) {
	st, err := storedStatus(ctx, t.store, t.p.name)
	if err != nil || st == nil || t.shard == nil {
		return st, err
	}
	if i := slices.IndexFunc(st.Shards, func(st checkpoint.Status) bool { return st.Name == t.lease }); i >= 0 {
		return &st.Shards[i], nil
	}
	return nil, nil
}

func (t *task) claim() checkpoint.Claim {
	return checkpoint.Claim{
		Name: t.lease, Owner: t.opts.owner, TTL: t.opts.ttl, Fingerprint: t.p.Fingerprint(), Start: t.cfg.start,
		Instance: t.opts.instance,
	}
}

// acquire returns the lease, or nil when there is nothing to do: stop has ended, or another owner has reached the target.
func (t *task) acquire(stop context.Context) (checkpoint.Lease, error) {
	if t.shard != nil {
		return t.shard.acquire(stop)
	}
	for {
		lease, err := t.store.Acquire(stop, t.claim())
		var held *checkpoint.HeldError
		switch {
		case err == nil:
			return lease, nil
		case stop.Err() != nil:
			return nil, nil
		case errors.Is(err, checkpoint.ErrShards):
			if err := t.undivide(stop); err != nil {
				return nil, err
			}
			continue
		case !errors.As(err, &held):
			return nil, err
		}
		if done, err := t.doneElsewhere(stop); done || err != nil {
			return nil, err
		}
		t.absent()
		if t.board.set(StateStandby, "owned by "+held.Owner) {
			t.log.Info("waiting for the lease", keyOwner, held.Owner)
		}
		if !sleep(stop, t.poll(held.Expires)) {
			return nil, nil
		}
	}
}

// undivide makes a projection one again that has shards in the store.
func (t *task) undivide(ctx context.Context) error {
	store, ok := t.store.(checkpoint.ShardStore)
	if !ok {
		return checkpoint.ErrShards
	}
	return store.Divide(ctx, checkpoint.Division{Name: t.p.name, Shards: 1, Fingerprint: t.p.Fingerprint(), Start: t.cfg.start})
}

// poll is how long to wait before asking for a lease again: often, since its owner may release it, and right after it runs
// out. The jitter keeps many standbys apart.
func (t *task) poll(expires time.Duration) time.Duration {
	d := min(t.opts.ttl/10, time.Second)
	d += rand.N(d/2 + 1)                                                    //nolint:gosec // jitter
	return min(d, max(expires, 0)+time.Millisecond+rand.N(t.opts.ttl/50+1)) //nolint:gosec // jitter
}

// doneElsewhere reports whether the owner of the lease has reached the target.
func (t *task) doneElsewhere(ctx context.Context) (bool, error) {
	if t.target == nil {
		return false, nil
	}
	st, err := t.stored(ctx)
	if err != nil || st == nil {
		return false, err
	}
	order, ok := st.Position.Compare(*t.target)
	if ok && order >= 0 {
		t.settleDoubt(st.Position) // the owner may be a lease of ours that could not be released
	}
	return ok && order >= 0, nil
}

// release gives the lease up, saying how things stand. A lease that cannot be released runs out by itself.
func (t *task) release(hard context.Context, lease checkpoint.Lease, err error) {
	if errors.Is(err, checkpoint.ErrFenced) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(hard), releaseBound)
	defer cancel()
	state, reason := StateStopped, ""
	switch {
	case err == nil && t.shard != nil && t.shard.isGiven():
		state, reason = StateStandby, errGivenUp.Error()
	case err != nil:
		reason = err.Error()
		if !isStopped(err) && classifySystem(t.store, err) == ClassInfrastructure {
			state = StatePaused
		}
	}
	if err := lease.Report(ctx, string(state), reason); err != nil {
		t.log.Debug("state not stored", keyErr, err)
	}
	if err := lease.Release(ctx); err != nil {
		t.log.Warn("lease not released; it is taken again, or runs out by itself", keyErr, err)
	}
}

// unsure remembers a commit whose outcome may be unknown.
func (t *task) unsure(f *flight, err error) {
	if index, somewhere := whose(err); index >= 0 || somewhere || errors.Is(err, checkpoint.ErrFenced) {
		return
	}
	t.doubt = f
}

// settleDoubt learns from the stored position whether the commit in doubt was applied, so that its events count once.
func (t *task) settleDoubt(stored checkpoint.Position) {
	f := t.doubt
	t.doubt = nil
	if f == nil || f.from == f.to || stored != f.to {
		return
	}
	t.log.Info("the commit with the unknown outcome was applied", keyPosition, f.to.String())
	t.board.committed(Commit{
		Position: f.to, Handled: int(f.change.Handled), Ignored: int(f.change.Ignored), Skipped: int(f.change.Skipped),
		Parked: len(f.diverted), Took: time.Since(f.began),
	})
}

// askHead asks the source for its end, and does not wait longer than until it would be asked again.
func (t *task) askHead(ctx context.Context) (checkpoint.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, headEvery)
	defer cancel()
	return t.p.Source().Head(ctx)
}

// watchHead publishes where the source ends, until ctx ends.
func (t *task) watchHead(ctx context.Context) {
	if t.shards != nil {
		t.shards.watchHead(ctx)
		return
	}
	for {
		head, err := t.askHead(ctx)
		switch {
		case err == nil:
			t.board.head(head)
		case ctx.Err() == nil:
			t.board.unreachable(err)
			t.log.Debug("end of the source not known", keyErr, err)
		}
		if !sleep(ctx, headEvery) {
			return
		}
	}
}
