package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/config"
)

const lintLong = `Checks the file, and the projections of the program if it has some of its own, without a database or an event store.
Mistakes and warnings are printed as file:line:column, so that editors find them. Then each projection is listed with what
it reads and what becomes of an event that fails: the delays are means, each varies by half.

The exit code is 2 if there is a mistake, or with --strict a warning.`

type lintFlags struct{ json, strict bool }

func newLint(e *env) *cobra.Command {
	var f lintFlags
	c := e.command(&cobra.Command{
		Use: "lint", Short: "Check the file: every mistake with its line and column", Long: lintLong,
		Example: "  projector lint\n  projector lint --config other.yaml --strict\n  projector lint --json | jq '.mistakes[].problem'",
	}, func(context.Context, []string) error { return e.lint(f) })
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object")
	c.Flags().BoolVar(&f.strict, "strict", false, "take warnings for mistakes")
	return c
}

// lintReport is what `lint --json` prints.
type lintReport struct {
	File        string           `json:"file"`
	OK          bool             `json:"ok"`
	Mistakes    []lintFinding    `json:"mistakes"`
	Warnings    []lintFinding    `json:"warnings"`
	Projections []lintProjection `json:"projections"`
}

// lintFinding is a mistake or a warning. Line and column are 0 if it is about no place in the file.
type lintFinding struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem"`
}

// lintProjection is a projection without mistakes.
type lintProjection struct {
	Name     string    `json:"name"`
	Source   string    `json:"source"`
	Attempts int       `json:"attempts"` // at an event that fails
	Delays   []float64 `json:"delays"`   // seconds between them; the first ones, if there are many
	Then     string    `json:"then"`

	policy projector.RetryPolicy
}

func (e *env) lint(f lintFlags) error {
	r := lintReport{File: e.flags.config, Mistakes: []lintFinding{}, Warnings: []lintFinding{}, Projections: []lintProjection{}}
	cfg, err := e.config(false)
	if err == nil {
		r.Warnings = findings(cfg.Warnings)
		r.Projections, err = e.lintProjections(cfg)
	}
	mistakes, inFile := errors.AsType[config.Mistakes](err)
	switch {
	case inFile:
		r.Mistakes = findings(mistakes)
	case err != nil && r.Projections == nil:
		for _, err := range flatten(err) {
			r.Mistakes = append(r.Mistakes, lintFinding{Problem: err.Error()})
		}
		r.Projections = []lintProjection{}
	case err != nil:
		return err
	}
	r.OK = len(r.Mistakes) == 0 && (!f.strict || len(r.Warnings) == 0)
	if err := e.printLint(&r, f.json); err != nil {
		return err
	}
	switch {
	case r.OK:
		return nil
	case len(r.Mistakes) > 0:
		return usage(fmt.Errorf("%s has %s", r.File, plural(int64(len(r.Mistakes)), "mistake")))
	}
	return usage(fmt.Errorf("%s has %s, and --strict allows none", r.File, plural(int64(len(r.Warnings)), "warning")))
}

func findings(ms config.Mistakes) []lintFinding {
	all := []lintFinding{}
	for _, m := range ms {
		all = append(all, lintFinding{m.Line, m.Column, m.Path, m.Problem})
	}
	return all
}

// lintProjections checks what NewRunner checks: with the program's own, that is more than the file.
func (e *env) lintProjections(cfg *config.Config) ([]lintProjection, error) {
	defined, err := e.define(cfg, nil)
	if err != nil {
		return nil, err
	}
	if _, err := projector.NewRunner(memory.Open(), defined); err != nil {
		return nil, err
	}
	const shown = 20 // delays
	all := []lintProjection{}
	for _, p := range defined {
		policy := p.RetryPolicy()
		l := lintProjection{
			Name: p.Name(), Source: p.Source().String(), Attempts: policy.Attempts, Delays: []float64{}, Then: policy.Then.String(), policy: policy,
		}
		for d := range policy.Delays() {
			if len(l.Delays) == shown {
				break
			}
			l.Delays = append(l.Delays, d.Seconds())
		}
		all = append(all, l)
	}
	return all, nil
}

func (e *env) printLint(r *lintReport, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	s := e.style()
	for _, m := range r.Mistakes {
		e.printf("%s\n", m.text(r.File, s.Bad("")))
	}
	for _, w := range r.Warnings {
		e.printf("%s\n", w.text(r.File, s.Notice("warning: ")))
	}
	if len(r.Mistakes) > 0 {
		return nil
	}
	warnings := ""
	if n := len(r.Warnings); n > 0 {
		warnings = ", " + plural(int64(n), "warning")
	}
	e.printf("%s: %s%s\n", r.File, s.Good("no mistakes"), warnings)
	for _, p := range r.Projections {
		e.printf("  %s reads %s\n    an event that fails: %s\n", s.Strong(p.Name), p.Source, p.fate())
	}
	return nil
}

func (m *lintFinding) text(file, kind string) string {
	at := config.Mistake{File: file, Line: m.Line, Column: m.Column, Path: m.Path, Problem: m.Problem}
	if m.Line == 0 {
		return kind + m.Problem
	}
	at.Path, at.Problem = "", kind+at.Problem
	if m.Path != "" {
		at.Problem = kind + m.Path + ": " + m.Problem
	}
	return at.Error()
}

// fate says what becomes of an event that fails.
func (p *lintProjection) fate() string {
	var sum time.Duration
	for d := range p.policy.Delays() {
		sum += d
	}
	text := p.policy.String()
	if p.Attempts == 1 {
		return p.Then + " at once"
	}
	if sum > 0 {
		text += ", " + progress.Duration(sum) + " in all"
	}
	return text
}
