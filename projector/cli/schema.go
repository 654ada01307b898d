package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/projector/config"
)

func newSchema(e *env) *cobra.Command {
	return e.command(&cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration, for editors",
		Example: "  projector schema > projector.schema.json\n  # yaml-language-server: $schema=projector.schema.json   (first line of projector.yaml)",
	}, func(context.Context, []string) error {
		_, err := e.stdout.Write(config.JSONSchema())
		return err
	})
}
