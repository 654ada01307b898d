package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
)

// Runner runs projections.
type Runner struct {
	store checkpoint.Store
	cfg   config
	tasks []*task
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
	names, tables := map[string]bool{}, map[string]string{}
	for _, p := range projections {
		if p == nil {
			errs = append(errs, errors.New("a projection is nil"))
			continue
		}
		if names[p.name] {
			errs = append(errs, fmt.Errorf("projection %q: the name is used twice", p.name))
		}
		names[p.name] = true
		for _, t := range p.Tables() {
			if other, taken := tables[t.Name]; taken {
				errs = append(errs, fmt.Errorf("projection %q: table %q is already written by projection %q", p.name, t.Name, other))
			}
			tables[t.Name] = p.name
		}
		s := r.cfg.settings
		for _, set := range p.settings {
			set.applyProjection(&s)
		}
		errs = append(errs, p.validate())
		if err := s.validate(); err != nil {
			errs = append(errs, fmt.Errorf("projection %q: %w", p.name, err))
		}
		r.tasks = append(r.tasks, &task{})
	}
	return r, errors.Join(errs...)
}

// Run runs all projections until ctx ends or all have stopped. A projection that stops does not stop the others. The
// error joins the reasons of those that stopped for one. It may be called once.
//
// When ctx ends, no more events are taken; what is in hand is finished and committed, and the leases are released, all
// within the shutdown bound.
func (r *Runner) Run(ctx context.Context) error {
	return errors.New("not yet")
}

// Status returns what every projection is doing, in the order given to [NewRunner]. It is safe for concurrent use.
func (r *Runner) Status() []Status { return nil }

type task struct{}
