package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
)

func newPlan(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "plan", Short: "Say what run would do: tables to make, projections to build, events to read",
		Example: "  projector plan",
	}, e.plan)
}

func (e *env) plan(ctx context.Context, _ []string) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	es, err := e.imagine(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // nothing was written
	projections, err := e.define(cfg, es.client)
	if err != nil {
		return err
	}
	store, err := e.openExisting(ctx, cfg)
	absent, isAbsent := errors.AsType[*absentError](err)
	switch {
	case isAbsent:
		e.printf("%v\n", absent)
		if store, err = emptyStore(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	known, err := store.List(ctx)
	if err != nil {
		return err
	}
	stored := make(map[string]*checkpoint.Status, len(known))
	for i := range known {
		stored[known[i].Name] = &known[i]
	}
	for _, p := range projections {
		if err := e.planOne(ctx, store, p, stored[p.Name()]); err != nil {
			return err
		}
	}
	return nil
}

// emptyStore stands for a database that is still to be made.
func emptyStore(ctx context.Context) (checkpoint.Store, error) {
	store := memory.Open()
	return store, store.Migrate(ctx)
}

func (e *env) planOne(ctx context.Context, store checkpoint.Store, p *projector.Projection, stored *checkpoint.Status) error {
	head, err := p.Source().Head(ctx)
	if err != nil {
		return fmt.Errorf("projection %s: %w", p.Name(), err)
	}
	switch {
	case stored == nil:
		e.printf("%s: new, reads %s\n", p.Name(), distance(checkpoint.Position{}, head))
	case stored.Fingerprint != "" && stored.Fingerprint != p.Fingerprint():
		e.printf("%s: changed; will not go on until `projector reset %s`, then reads %s\n",
			p.Name(), p.Name(), distance(checkpoint.Position{}, head))
	case stored.Position == head:
		e.printf("%s: up to date at %v\n", p.Name(), head)
	default:
		e.printf("%s: goes on after %v, reads %s\n", p.Name(), stored.Position, distance(stored.Position, head))
	}
	for _, t := range p.Tables() {
		n, err := store.Count(ctx, t)
		switch {
		case errors.Is(err, checkpoint.ErrNoTable):
			e.printf("  makes table %s\n", t.Name)
		case err != nil:
			return err
		default:
			e.printf("  table %s has %s\n", t.Name, plural(n, "row"))
		}
	}
	return nil
}

// distance says how many events there are after a position up to the head, as far as positions tell.
func distance(from, head checkpoint.Position) string {
	if n := from.EventsUntil(head); n >= 0 {
		return plural(n, "event")
	}
	return fmt.Sprintf("the log up to %v", head)
}
