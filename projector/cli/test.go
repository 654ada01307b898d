package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/config"
)

const testLong = `Runs the tests of the file: each gives events to the projections and compares the rows that come of them. Every test runs
in memory (unless it uses sql) and on SQLite, there once with each event alone and once with all of them in one batch.`

func newTest(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "test", Short: "Run the tests of the configuration", Long: testLong,
		Example: "  projector test",
	}, e.test)
}

func (e *env) test(ctx context.Context, _ []string) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	if len(cfg.Tests) == 0 {
		return usage(fmt.Errorf("%s has no tests", cfg.Path))
	}
	dir, err := os.MkdirTemp("", "projector-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary directory
	failed := 0
	for i, t := range cfg.Tests {
		err := runTest(ctx, t, filepath.Join(dir, fmt.Sprintf("%d.db", i)))
		switch {
		case err == nil && t.WantsSQL():
			e.printf("ok    %s (on SQLite only, as sql wants a database)\n", t.Name)
		case err == nil:
			e.printf("ok    %s\n", t.Name)
		case errors.Is(err, config.ErrTestFailed):
			failed++
			e.printf("FAIL  %s\n%v\n", t.Name, err)
		default:
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, plural(int64(len(cfg.Tests)), "test"))
	}
	return nil
}

// runTest runs a test in memory and on SQLite.
func runTest(ctx context.Context, t *config.Test, path string) error {
	if !t.WantsSQL() {
		if err := t.Run(ctx, memory.Open()); err != nil {
			return err
		}
	}
	var store checkpoint.Store
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(t.Run(ctx, store), store.Close())
}
