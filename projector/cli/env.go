package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/photonpump/projector/projector/cli/internal/progress"
)

// env is what a command has to work with.
type env struct {
	stdin       io.Reader
	stdout      io.Writer
	line        *progress.Line // and everything else on stderr
	projections []Projection
	flags       flags
	started     bool // past the checks of the command line
}

// flags of every command.
type flags struct {
	config     string
	eventStore string
	database   string
	logLevel   slog.Level
}

func newEnv(stdin io.Reader, stdout, stderr io.Writer, projections []Projection) *env {
	e := &env{stdin: stdin, stdout: stdout, line: progress.New(stderr, widthOf(stderr)), projections: projections}
	e.flags.logLevel = slog.LevelWarn
	return e
}

// logLife lets a command that goes on for long log what happens to it, where no live line says so.
func (e *env) logLife(c *cobra.Command) {
	if !e.line.Live() && !c.Flags().Changed("log") {
		e.flags.logLevel = slog.LevelInfo
	}
}

// widthOf returns how to learn the width of a terminal, nil if w is none.
func widthOf(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	}
}

// logger writes above the live line.
func (e *env) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(e.line, &slog.HandlerOptions{Level: e.flags.logLevel}))
}

// notef prints for people, on stderr.
func (e *env) notef(format string, args ...any) { fmt.Fprintf(e.line, format, args...) }

// printf prints a result, on stdout.
func (e *env) printf(format string, args ...any) {
	e.line.Clear()
	fmt.Fprintf(e.stdout, format, args...)
}
