package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/source"
)

func newReset(e *env) *cobra.Command {
	var f resetFlags
	c := e.command(&cobra.Command{
		Use: "reset NAME", Short: "Empty the tables of a projection and forget its position, so that it is built anew",
		Example: "  projector reset ponies\n  projector reset ponies --yes   # where nobody can answer", ValidArgsFunction: e.completeProjection,
	}, func(ctx context.Context, args []string) error { return e.reset(ctx, args[0], f) })
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&f.group, "delete-group", false, "delete the group that the projection reads, so that it is made anew and delivers everything again")
	return c
}

func (e *env) reset(ctx context.Context, name string, f resetFlags) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	defined, err := e.define(cfg, nil)
	if err != nil {
		return err
	}
	p, err := findProjection(defined, name)
	if err != nil {
		return err
	}
	if err := checkReset(p, f); err != nil {
		return err
	}
	store, err := e.openExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what counts is committed
	if err := e.confirmReset(ctx, store, p, f.yes); err != nil {
		return err
	}
	err = store.Reset(ctx, name, p.Tables()...)
	if errors.Is(err, checkpoint.ErrUnknownProjection) {
		e.printf("projection %s has never run: there is nothing to reset\n", name)
		return nil
	}
	if err == nil && f.group {
		err = e.deleteGroup(ctx, cfg, name)
	}
	if err != nil {
		return err
	}
	e.printf("projection %s starts from the beginning when it runs next\n", name)
	return nil
}

func findProjection(projections []*projector.Projection, name string) (*projector.Projection, error) {
	var names []string
	for _, p := range projections {
		if p.Name() == name {
			return p, nil
		}
		names = append(names, p.Name())
	}
	return nil, usage(errUnknown("projection", name, names))
}

func (e *env) confirmReset(ctx context.Context, store checkpoint.Store, p *projector.Projection, yes bool) error {
	if yes {
		return nil
	}
	var tables []string
	for _, t := range p.Tables() {
		n, err := store.Count(ctx, t)
		if err != nil && !errors.Is(err, checkpoint.ErrNoTable) {
			return err
		}
		tables = append(tables, fmt.Sprintf("%s (%s rows)", t.Name, progress.Count(n)))
	}
	what := "forgets the position of projection " + p.Name()
	if g, ok := p.Source().(source.Group); ok {
		what = "deletes " + g.String() + " and what it has parked"
	}
	if len(tables) > 0 {
		what = "empties " + strings.Join(tables, ", ") + " and " + what
	}
	e.notef("This %s. Go on? [y/N] ", what)
	answer, err := bufio.NewReader(e.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed; answer y, or give --yes where nobody can answer")
}
