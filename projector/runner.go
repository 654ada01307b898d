package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Runner runs projections.
type Runner struct {
	store checkpoint.Store
	cfg   config
	tasks []*task
	began atomic.Bool
}

// NewRunner checks the projections and options, and reports every mistake. It does no I/O.
func NewRunner(store checkpoint.Store, projections []*Projection, opts ...Option) (*Runner, error) {
	r := &Runner{store: store, cfg: defaults()}
	for _, o := range opts {
		o.applyRunner(&r.cfg)
	}
	errs := []error{r.cfg.validate()}
	if store == nil {
		errs = append(errs, errors.New("the store is nil"))
	}
	if len(projections) == 0 {
		errs = append(errs, errors.New("there are no projections"))
	}
	names, tables := map[string]bool{}, map[string]string{}
	for _, p := range projections {
		if p == nil {
			errs = append(errs, errors.New("a projection is nil"))
			continue
		}
		errs = append(errs, unique(p, names, tables), r.add(p))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r.cfg.tasks = len(r.tasks)
	r.share()
	return r, nil
}

// share gives those projections a hub that read the same.
func (r *Runner) share() {
	type part struct {
		log  any
		name string
	}
	same := map[part][]*task{}
	for _, t := range r.tasks {
		if s, ok := t.p.source.(source.Shareable); ok && s.Log() != nil {
			p := part{s.Log(), s.String()}
			same[p] = append(same[p], t)
		}
	}
	for _, tasks := range same {
		if len(tasks) > 1 {
			newHub(tasks)
		}
	}
}

// add makes the task of a projection, with its own settings over those of the runner.
func (r *Runner) add(p *Projection) error {
	cfg := r.cfg.settings
	for _, set := range p.settings {
		set.applyProjection(&cfg)
	}
	if err := p.validate(); err != nil {
		return err
	}
	if err := errors.Join(cfg.validate(), p.checkPrune(cfg.shards)); err != nil {
		return fmt.Errorf("projection %q: %w", p.name, err)
	}
	if err := p.checkGroup(&cfg, r.store); err != nil {
		return err
	}
	if err := p.checkShards(r.store, &cfg); err != nil {
		return fmt.Errorf("projection %q: %w", p.name, err)
	}
	if r.cfg.logger == nil {
		return nil
	}
	t := newTask(p, r.store, &r.cfg, cfg)
	if store, ok := r.store.(checkpoint.ShardStore); ok && cfg.shards > 1 {
		t.shards = newShardSet(t, store)
	}
	r.tasks = append(r.tasks, t)
	return nil
}

// unique reports names that several projections use.
func unique(p *Projection, names map[string]bool, tables map[string]string) error {
	var errs []error
	if names[p.name] {
		errs = append(errs, fmt.Errorf("projection %q: the name is used twice", p.name))
	}
	names[p.name] = true
	for _, t := range p.Tables() {
		if owner, taken := tables[t.Name]; taken {
			errs = append(errs, fmt.Errorf("projection %q: table %q is already written by projection %q", p.name, t.Name, owner))
		}
		tables[t.Name] = p.name
	}
	return errors.Join(errs...)
}

// Run runs all projections until ctx ends or all have stopped. A projection that stops does not stop the others. The
// error joins the reasons, each a *[StoppedError], of those that stopped for one. Run may be called once.
//
// When ctx ends, no more events are taken; what is in hand is finished and committed, and the leases are released, all
// within the shutdown bound.
func (r *Runner) Run(ctx context.Context) error {
	if !r.began.CompareAndSwap(false, true) {
		return errors.New("a Runner runs once; make another one")
	}
	hard, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	background, end := context.WithCancel(hard)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer end()
	helpers.Go(func() { // ends with the work or the bound
		select {
		case <-ctx.Done():
		case <-background.Done():
			return
		}
		if sleep(background, r.cfg.shutdown) {
			abandon(fmt.Errorf("%w of %v", ErrShutdownBound, r.cfg.shutdown))
		}
	})
	if err := r.migrate(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	errs := make([]error, len(r.tasks))
	var working sync.WaitGroup
	for i, t := range r.tasks {
		helpers.Go(func() { t.watchHead(background) }) // ends with the work
		working.Go(func() { errs[i] = t.work(ctx, hard) })
	}
	working.Wait()
	return errors.Join(errs...)
}

// migrate makes the framework's own tables. An outage is waited for.
func (r *Runner) migrate(ctx context.Context) error {
	delays := r.cfg.retry.delays()
	for {
		err := r.store.Migrate(ctx)
		switch {
		case err == nil, ctx.Err() != nil:
			return nil
		case classifySystem(r.store, err) != ClassInfrastructure:
			return fmt.Errorf("prepare the database: %w", err)
		}
		delay := delays.NextBackOff()
		for _, t := range r.tasks {
			t.board.failed(ClassInfrastructure, err)
			t.board.set(StatePaused, fmt.Sprintf("next attempt in %v: %v", delay.Round(time.Millisecond), err))
		}
		r.cfg.logger.Warn("database not ready", keyDelay, delay, keyErr, err)
		sleep(ctx, delay)
	}
}

// Status returns what every projection is doing, in the order given to [NewRunner]. It is safe for concurrent use.
func (r *Runner) Status() []Status {
	all := make([]Status, len(r.tasks))
	for i, t := range r.tasks {
		all[i] = t.status()
	}
	return all
}
