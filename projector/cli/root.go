package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `Keeps read models up to date from an event store, as projector.yaml describes them.

Without anything else installed it brings an event store and a database of its own, both under ./data.

Exit codes:
  0    done
  1    something went wrong; the last line says what
  2    a mistake on the command line or in projector.yaml
  3    a projection stopped for a reason of its own
  130  a second Ctrl-C`

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:           "projector",
		Short:         "Projection services over Event Store",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.line)
	p := root.PersistentFlags()
	p.StringVar(&e.flags.config, "config", defaultConfig, "`file` that describes event store, database and projections")
	p.StringVar(&e.flags.eventStore, "eventstore", "", "`URL` of the event store, in place of the file's: tcp://user:password@host:1113, or embedded")
	p.StringVar(&e.flags.database, "database", "", "`URL` of the database, in place of the file's: postgres://user:password@host/name, or sqlite://path")
	p.TextVar(&e.flags.logLevel, "log", e.flags.logLevel, "least `level` of log lines on stderr: DEBUG, INFO, WARN or ERROR; node uses INFO, and run where there is no terminal")
	p.StringVar(&e.flags.logFormat, "log-format", logAuto, "`format` of log lines: auto (for people on a terminal, else text), text or json")
	p.BoolVar(&e.flags.noColor, "no-color", false, "no colours; so does a NO_COLOR in the environment, and an output that is no terminal")
	root.AddCommand(
		newRun(e), newPlan(e), newDryRun(e), newLint(e), newTest(e), newSchema(e), newDDL(e), newShow(e), newStatus(e), newParked(e), newReset(e),
		newImport(e), newAppend(e), newRead(e), newTail(e), newNode(e), newVersion(e),
	)
	return root
}

// command fills what all commands have in common. Arguments are named in use: UPPER is one, [UPPER] is optional.
func (e *env) command(c *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	c.Args = argsOf(c.Use)
	c.RunE = func(c *cobra.Command, args []string) error {
		e.started = true
		return run(c.Context(), args)
	}
	return c
}

// argsOf checks the number of arguments against how they are named in use.
func argsOf(use string) cobra.PositionalArgs {
	names := strings.Fields(use)[1:]
	least := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing; usage: %s", names[len(args)], c.UseLine())
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q; usage: %s", args[len(names)], c.UseLine())
		}
		return nil
	}
}
