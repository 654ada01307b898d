package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newLint(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "lint", Short: "Check the configuration: every mistake with its line and column",
		Example: "  projector lint\n  projector lint --config other.yaml",
	}, func(context.Context, []string) error {
		cfg, err := e.config(false)
		if err != nil {
			return err
		}
		for _, warning := range cfg.Warnings {
			e.printf("%v\n", warning)
		}
		warnings := ""
		if n := len(cfg.Warnings); n > 0 {
			warnings = fmt.Sprintf(", %s", plural(int64(n), "warning"))
		}
		e.printf("%s: no mistakes%s\n", cfg.Path, warnings)
		for _, p := range cfg.Projections {
			e.printf("  %s reads %v\n", p.Name, p.Source.Open(nil))
		}
		return nil
	})
}
