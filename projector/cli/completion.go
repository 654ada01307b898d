package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/projector/config"
)

const completionLong = `Prints a script that completes commands, flags, and names of projections and tables of projector.yaml in your shell.

  bash        needs the package bash-completion; also: projector completion bash > /etc/bash_completion.d/projector
  zsh         projector completion zsh > "${fpath[1]}/_projector", and start zsh anew
  fish        projector completion fish > ~/.config/fish/completions/projector.fish
  powershell  projector completion powershell | Out-String | Invoke-Expression`

func newCompletion(e *env) *cobra.Command {
	shells := map[string]func(root *cobra.Command, w io.Writer) error{
		"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":        (*cobra.Command).GenZshCompletion,
		"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
	}
	names := []string{"bash", "fish", "powershell", "zsh"}
	var c *cobra.Command
	c = e.command(&cobra.Command{
		Use: "completion SHELL", Short: "Print a script for completion in bash, zsh, fish or powershell", Long: completionLong,
		Example: "  source <(projector completion bash)", ValidArgs: names,
	}, func(_ context.Context, args []string) error {
		script, ok := shells[args[0]]
		if !ok {
			return usage(errUnknown("shell", args[0], names))
		}
		return script(c.Root(), e.stdout)
	})
	return c
}

// completeFlag completes the value of a flag.
func completeFlag(c *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag
	}
}

// completeProjection completes the name of a projection, as the first argument.
func (e *env) completeProjection(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeName(args, func(cfg *config.Config) []string {
		projections, _ := e.define(cfg, nil) // nothing to complete where there is none
		var names []string
		for _, p := range projections {
			names = append(names, p.Name())
		}
		return names
	})
}

// completeReadModel completes the name of a table or view, as the first argument.
func (e *env) completeReadModel(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeName(args, func(cfg *config.Config) []string {
		projections, _ := e.define(cfg, nil)
		return readModels(cfg, projections)
	})
}

func (e *env) completeName(args []string, names func(*config.Config) []string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cfg, err := e.config(false)
	if err != nil {
		return cobra.AppendActiveHelp(nil, strings.SplitN(err.Error(), "\n", 2)[0]), cobra.ShellCompDirectiveNoFileComp
	}
	found := names(cfg)
	slices.Sort(found)
	return found, cobra.ShellCompDirectiveNoFileComp
}
