package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

func newLint(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "lint", Short: "Check the configuration: every mistake with its line and column",
	}, func(context.Context, []string) error {
		cfg, err := e.config(false)
		if err != nil {
			return err
		}
		var names []string
		for _, p := range cfg.Projections {
			names = append(names, p.Name)
		}
		e.printf("%s: no mistakes; %s: %s\n", cfg.Path, plural(int64(len(names)), "projection"), strings.Join(names, ", "))
		return nil
	})
}
