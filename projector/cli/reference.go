package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const referenceHead = `# Commands

Every command of the binary with its flags and examples, as ` + "`projector COMMAND --help`" + ` prints them. The commands of a program
that calls ` + "`cli.Main`" + ` are the same.

Results go to standard output, everything else to standard error: progress, log lines, questions and errors. An error is one
line that begins with ` + "`projector:`" + `. Colours and a live line of progress appear on terminals only.

| exit code | meaning |
|---|---|
`

// Reference returns the reference of all commands as Markdown.
func Reference() string {
	root := newRoot(newEnv(strings.NewReader(""), io.Discard, io.Discard, nil))
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s |\n", c.code, c.meaning)
	}
	b.WriteString("\n`go run` turns every exit code but 0 into 1.\n\n## Flags of every command\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, group := range root.Groups() {
		commandSections(&b, root, group.ID, strings.TrimSuffix(group.Title, ":"))
	}
	commandSections(&b, root, "", "Other commands")
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// commandSections writes the commands of a group.
func commandSections(b *strings.Builder, root *cobra.Command, group, title string) {
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, c := range root.Commands() {
		if c.GroupID == group && c.Name() != "help" && !c.Hidden {
			commandSection(b, c)
		}
	}
}

func commandSection(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "### %s\n\n", strings.TrimPrefix(c.CommandPath(), "projector "))
	if c.Long == "" {
		b.WriteString(c.Short + ".\n\n")
	} else {
		b.WriteString(prose(c.Long) + "\n\n")
	}
	if !c.HasSubCommands() {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", unindented(c.Example))
		fmt.Fprintf(b, "Usage: `%s`\n\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
		flagTable(b, c.NonInheritedFlags())
	}
	for _, sub := range c.Commands() {
		commandSection(b, sub)
	}
}

// prose makes what is indented in a help text a block of its own.
func prose(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// flagTable writes flags, but for --help.
func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	var rows []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		placeholder, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if placeholder != "" {
			name += " " + placeholder
		}
		fallback := f.DefValue
		if f.Value.Type() == "bool" || fallback == "[]" || fallback == "0" && placeholder == "N" {
			fallback = ""
		}
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", name, fallback, strings.ReplaceAll(usage, "|", `\|`)))
	})
	if len(rows) > 0 {
		b.WriteString("| flag | default | |\n|---|---|---|\n" + strings.Join(rows, "") + "\n")
	}
}
