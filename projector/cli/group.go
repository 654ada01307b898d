package cli

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/source"
)

type resetFlags struct {
	yes   bool
	group bool // delete it
}

// checkReset refuses to empty tables that would then stay empty.
func checkReset(p *projector.Projection, f resetFlags) error {
	g, ok := p.Source().(source.Group)
	switch {
	case ok && !f.group:
		return fmt.Errorf("projection %s reads %s, which does not deliver again what it has delivered; "+
			"give --delete-group, so that the group is deleted and delivers everything again when it is made anew", p.Name(), g)
	case !ok && f.group:
		return usage(fmt.Errorf("projection %s reads no group: leave --delete-group out", p.Name()))
	}
	return nil
}

// managed returns the group that a projection reads, with a connection; nil if it reads none.
func (e *env) managed(ctx context.Context, cfg *config.Config, name string) (source.ManagedGroup, *eventStore, error) {
	defined, err := e.define(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	p, err := findProjection(defined, name)
	if err != nil {
		return nil, nil, nil //nolint:nilerr // what is only in the database is no group
	}
	if _, ok := p.Source().(source.ManagedGroup); !ok {
		return nil, nil, nil
	}
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if defined, err = e.define(cfg, es.client); err == nil {
		p, err = findProjection(defined, name)
	}
	if err != nil {
		_ = es.Close()
		return nil, nil, err
	}
	g, _ := p.Source().(source.ManagedGroup)
	return g, es, nil
}

// replayGroup has the group of a projection deliver again what it has parked. It reports whether there is a group.
func (e *env) replayGroup(ctx context.Context, name string) (done bool, err error) {
	cfg, err := e.config(false)
	if err != nil {
		return false, err
	}
	g, es, err := e.managed(ctx, cfg, name)
	if g == nil || err != nil {
		return false, err
	}
	defer es.Close() //nolint:errcheck // the event store has answered
	if err := g.Replay(ctx); err != nil {
		return true, err
	}
	e.printf("%s delivers its parked events again\n", g)
	return true, nil
}

func (e *env) deleteGroup(ctx context.Context, cfg *config.Config, name string) error {
	g, es, err := e.managed(ctx, cfg, name)
	if g == nil || err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // the event store has answered
	return g.Delete(ctx)
}
