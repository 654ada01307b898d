package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-colorable"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/cli/internal/style"
)

// env is what a command has to work with.
type env struct {
	stdin       io.Reader
	stdout      io.Writer
	line        *progress.Line // and everything else on stderr
	terminal    bool           // stdout is one
	projections []Projection
	flags       flags
	started     bool // past the checks of the command line
	logOnce     sync.Once
	log         *slog.Logger // once it is asked for, after the flags are read
}

// flags of every command.
type flags struct {
	config     string
	eventStore string
	database   string
	logLevel   slog.Level
	logFormat  string
	noColor    bool
}

// Values of --log-format.
const (
	logAuto = "auto" // for people on a terminal, text elsewhere
	logText = "text"
	logJSON = "json"
)

func newEnv(stdin io.Reader, stdout, stderr io.Writer, projections []Projection) *env {
	e := &env{
		stdin: stdin, stdout: console(stdout), line: progress.New(console(stderr), widthOf(stderr)), projections: projections,
		terminal: widthOf(stdout) != nil,
	}
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

// console makes escape sequences work in the consoles of Windows.
func console(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		return colorable.NewColorable(f)
	}
	return w
}

// style is that of stdout.
func (e *env) style() style.Style { return style.New(e.terminal && e.mayColour()) }

// errStyle is that of stderr.
func (e *env) errStyle() style.Style { return style.New(e.line.Live() && e.mayColour()) }

// mayColour follows https://no-color.org.
func (e *env) mayColour() bool { return !e.flags.noColor && os.Getenv("NO_COLOR") == "" }

// logger writes above the live line.
func (e *env) logger() *slog.Logger {
	e.logOnce.Do(func() { e.log = slog.New(newDamped(e.logHandler())) })
	return e.log
}

func (e *env) logHandler() slog.Handler {
	options := &slog.HandlerOptions{Level: e.flags.logLevel}
	switch {
	case e.flags.logFormat == logJSON:
		return slog.NewJSONHandler(e.line, options)
	case e.flags.logFormat == logText || !e.line.Live():
		return slog.NewTextHandler(e.line, options)
	}
	return tint.NewTextHandler(e.line, &tint.Options{Level: e.flags.logLevel, TimeFormat: time.TimeOnly, NoColor: !e.mayColour()})
}

// notef prints for people, on stderr.
func (e *env) notef(format string, args ...any) { fmt.Fprintf(e.line, format, args...) }

// printf prints a result, on stdout.
func (e *env) printf(format string, args ...any) {
	e.line.Clear()
	fmt.Fprintf(e.stdout, format, args...)
}
