package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint/sqlite"
)

const dryRunLong = `Reads the event store to where it ends now and shows the rows that would come of it. They are kept in a temporary file, and
the database of the configuration is not touched. Only the projections of the file are run, since those of a program may
have effects.`

func newDryRun(e *env) *cobra.Command {
	var limit int
	c := e.command(&cobra.Command{
		Use: "dry-run", Short: "Show the rows that the projections would write, and write nothing", Long: dryRunLong,
		Example: "  projector dry-run --limit 3",
	}, func(ctx context.Context, _ []string) error { return e.dryRun(ctx, limit) })
	c.Flags().IntVar(&limit, "limit", shownRows, "at most `N` rows of each table; 0 is all")
	return c
}

func (e *env) dryRun(ctx context.Context, limit int) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "projector-dry-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary directory
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // nothing was written
	store, err := sqlite.Open(ctx, filepath.Join(dir, "rows.db"))
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nobody needs it any more
	s := &service{env: e, cfg: cfg, es: es, store: store, projections: cfg.BuildReading(es.client), once: true, limit: limit}
	return s.run(ctx)
}
