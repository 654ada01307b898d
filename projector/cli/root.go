package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const rootAbout = `Keeps read models up to date from an event store, as projector.yaml describes them.

Without anything else installed it brings an event store and a database of its own, both under ./data.

Exit codes:`

func rootLong() string {
	var b strings.Builder
	b.WriteString(rootAbout)
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "\n  %-4d %s", c.code, c.meaning)
	}
	return b.String()
}

// Groups of commands, as help lists them.
const (
	groupProjections = "projections"
	groupFile        = "file"
	groupEvents      = "events"
)

func newRoot(e *env) *cobra.Command {
	root := e.group(&cobra.Command{
		Use:           "projector",
		Short:         "Projection services over Event Store",
		Long:          rootLong(),
		Example:       "  projector run --once\n  projector status\n  projector show ponies",
		Version:       readBuild().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.line)
	root.SetFlagErrorFunc(suggestFlag)
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if formats := []string{logAuto, logText, logJSON}; !slices.Contains(formats, e.flags.logFormat) {
			return fmt.Errorf("unknown --log-format %q: want %s", e.flags.logFormat, strings.Join(formats, ", "))
		}
		return nil
	}
	e.addFlags(root)
	root.AddGroup(&cobra.Group{ID: groupProjections, Title: "Projections:"}, &cobra.Group{ID: groupFile, Title: "The file:"},
		&cobra.Group{ID: groupEvents, Title: "Events:"})
	for group, commands := range map[string][]*cobra.Command{
		groupProjections: {newRun(e), newStatus(e), newShow(e), newParked(e), newReset(e)},
		groupFile:        {newLint(e), newTest(e), newPlan(e), newDryRun(e), newSchema(e)},
		groupEvents:      {newAppend(e), newImport(e), newRead(e), newTail(e), newBench(e), newNode(e)},
		"":               {newCompletion(e), newVersion(e)},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}

// addFlags adds the flags of every command.
func (e *env) addFlags(root *cobra.Command) {
	p := root.PersistentFlags()
	p.StringVar(&e.flags.config, "config", defaultConfig, "`file` that describes event store, database and projections")
	p.StringVar(&e.flags.eventStore, "eventstore", "", "`URL` of the event store, in place of the file's: tcp://user:password@host:1113, or embedded")
	p.StringVar(&e.flags.database, "database", "", "`URL` of the database, in place of the file's: postgres://user:password@host/name, or sqlite://path")
	p.TextVar(&e.flags.logLevel, "log", e.flags.logLevel, "least `level` of log lines on stderr: DEBUG, INFO, WARN or ERROR; node uses INFO, and run where there is no terminal")
	p.StringVar(&e.flags.logFormat, "log-format", logAuto, "`format` of log lines: auto (for people on a terminal, else text), text or json")
	p.BoolVar(&e.flags.noColor, "no-color", false, "no colours; so does NO_COLOR in the environment, and an output that is no terminal")
	for flag, complete := range map[string]cobra.CompletionFunc{
		"config":     cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		"eventstore": cobra.FixedCompletions([]string{"embedded", "tcp://", "tls://", "discover://"}, cobra.ShellCompDirectiveNoSpace),
		"database":   cobra.FixedCompletions([]string{"sqlite://", "postgres://"}, cobra.ShellCompDirectiveNoSpace),
		"log":        cobra.FixedCompletions([]string{"DEBUG", "INFO", "WARN", "ERROR"}, cobra.ShellCompDirectiveNoFileComp),
		"log-format": cobra.FixedCompletions([]string{logAuto, logText, logJSON}, cobra.ShellCompDirectiveNoFileComp),
	} {
		completeFlag(root, flag, complete)
	}
}

// group makes a command that only has others under it.
func (e *env) group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		return fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), didYouMean(args[0], names))
	}
	return c
}

// command fills what all commands have in common. Arguments are named in use: UPPER is one, [UPPER] is optional, and a
// last one with … stands for any number.
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
	least, many := 0, strings.Contains(use, "…")
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing; usage: %s", names[len(args)], c.UseLine())
		case len(args) > len(names) && !many:
			return fmt.Errorf("unexpected argument %q; usage: %s", args[len(names)], c.UseLine())
		}
		return nil
	}
}
