package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/rows"
	"github.com/photonpump/projector/projector/config"
)

func newShow(e *env) *cobra.Command {
	var format string
	var limit int
	c := e.command(&cobra.Command{
		Use: "show NAME", Short: "Print the rows of a read model, in the order of its key",
		Example: "  projector show ponies\n  projector show ponies --format json | jq '.[0]'",
	}, func(ctx context.Context, args []string) error {
		if !slices.Contains(rows.Formats(), format) {
			return usage(fmt.Errorf("unknown format %q: want %s", format, strings.Join(rows.Formats(), ", ")))
		}
		return e.show(ctx, args[0], format, limit)
	})
	c.Flags().StringVar(&format, "format", "table", "`format` of the output: "+strings.Join(rows.Formats(), ", "))
	c.Flags().IntVar(&limit, "limit", 0, "at most `N` rows; 0 is all")
	return c
}

func (e *env) show(ctx context.Context, name, format string, limit int) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	defined, err := e.define(cfg, nil)
	if err != nil {
		return err
	}
	table, err := findTable(defined, name)
	if err != nil {
		return err
	}
	store, err := e.openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	return e.printRows(ctx, cfg, store, table, format, limit)
}

// findTable finds a table by its name, or by that of the projection if it has one table only.
func findTable(projections []*projector.Projection, name string) (*checkpoint.Table, error) {
	var names []string
	for _, p := range projections {
		tables := p.Tables()
		for _, t := range tables {
			if t.Name == name || p.Name() == name && len(tables) == 1 {
				return t, nil
			}
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, usage(fmt.Errorf("there is no read model %q: no projection has a table", name))
	}
	return nil, usage(fmt.Errorf("there is no read model %q; there are %s", name, strings.Join(names, ", ")))
}

func (e *env) printRows(ctx context.Context, cfg *config.Config, store checkpoint.Store, table *checkpoint.Table, format string, limit int) error {
	p, err := rows.New(format, e.stdout, table.Columns)
	if err != nil {
		return err
	}
	var failed error
	err = store.Rows(ctx, table, limit, func(row []any) bool {
		failed = p.Row(row)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	if errors.Is(err, checkpoint.ErrNoTable) {
		return fmt.Errorf("there is no table %s in %s yet; `projector run` makes it", table.Name, describeDatabase(cfg))
	}
	if err != nil {
		return err
	}
	return p.Close()
}
