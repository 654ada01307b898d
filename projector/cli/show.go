package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		Example:           "  projector show ponies\n  projector show ponies --format json | jq '.[0]'",
		ValidArgsFunction: e.completeReadModel,
	}, func(ctx context.Context, args []string) error {
		if !slices.Contains(rows.Formats(), format) {
			return usage(errUnknown("format", format, rows.Formats()))
		}
		return e.show(ctx, args[0], format, limit)
	})
	c.Flags().StringVar(&format, "format", "table", "`format` of the output: "+strings.Join(rows.Formats(), ", "))
	completeFlag(c, "format", cobra.FixedCompletions(rows.Formats(), cobra.ShellCompDirectiveNoFileComp))
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
	table, err := findTable(cfg, defined, name)
	if err != nil {
		return err
	}
	store, err := e.openExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	if table == nil {
		return e.printView(ctx, store, name, format, limit)
	}
	return e.printRows(ctx, cfg, store, table, format, limit)
}

// findTable finds a table by its name, or by that of the projection if it has one table only. It is nil for a view.
func findTable(cfg *config.Config, projections []*projector.Projection, name string) (*checkpoint.Table, error) {
	if cfg.View(name) != nil {
		return nil, nil
	}
	for _, p := range projections {
		tables := p.Tables()
		for _, t := range tables {
			if t.Name == name || p.Name() == name && len(tables) == 1 {
				return t, nil
			}
		}
	}
	names := readModels(cfg, projections)
	if len(names) == 0 {
		return nil, usage(fmt.Errorf("there is no read model %q: no projection has a table", name))
	}
	return nil, usage(errUnknown("read model", name, names))
}

// readModels are the names of all tables and views.
func readModels(cfg *config.Config, projections []*projector.Projection) []string {
	var names []string
	for _, p := range projections {
		for _, t := range p.Tables() {
			names = append(names, t.Name)
		}
	}
	for _, v := range cfg.Views {
		names = append(names, v.Name)
	}
	return names
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

// printView prints the rows of a view. Its columns are known only with its first row.
func (e *env) printView(ctx context.Context, store checkpoint.Store, name, format string, limit int) error {
	views, ok := store.(checkpoint.ViewStore)
	if !ok {
		return fmt.Errorf("view %s: the database keeps no views", name)
	}
	var p rows.Printer
	var failed error
	err := views.ViewRows(ctx, name, limit, func(columns []string, row []any) bool {
		if p == nil {
			if p, failed = rows.New(format, e.stdout, columnsOf(columns, row)); failed != nil {
				return false
			}
		}
		failed = p.Row(row)
		return failed == nil
	})
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	if p == nil {
		if p, err = rows.New(format, e.stdout, nil); err != nil {
			return err
		}
	}
	return p.Close()
}

// columnsOf gives the columns of a view the types of the values of a row.
func columnsOf(names []string, row []any) []checkpoint.Column {
	columns := make([]checkpoint.Column, len(names))
	for i, name := range names {
		columns[i] = checkpoint.Column{Name: name, Type: checkpoint.Type{Base: baseOf(row[i])}}
	}
	return columns
}

func baseOf(v any) checkpoint.Base {
	switch v.(type) {
	case int64:
		return checkpoint.Int
	case float64:
		return checkpoint.Float
	case bool:
		return checkpoint.Bool
	case time.Time:
		return checkpoint.Time
	case []byte:
		return checkpoint.Bytes
	case json.RawMessage:
		return checkpoint.JSON
	}
	return checkpoint.Text
}
