package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// warn notes something at a node that may be meant, but most often is not.
func (w *walker) warn(n *yaml.Node, path, format string, args ...any) {
	w.warnings = append(w.warnings, &Mistake{
		File: w.file, Line: n.Line, Column: n.Column, Path: path, Problem: fmt.Sprintf(format, args...),
	})
}

func (w *walker) warnAt(line, column int, path, format string, args ...any) {
	w.warnings = append(w.warnings, &Mistake{File: w.file, Line: line, Column: column, Path: path, Problem: fmt.Sprintf(format, args...)})
}

// lintURL warns of a password that stands in the file itself.
func (w *walker) lintURL(n *yaml.Node, path string) {
	u, err := url.Parse(n.Value)
	if err != nil || u.User == nil {
		return
	}
	if password, set := u.User.Password(); set && password != "" && !strings.Contains(n.Value, "${") {
		w.warn(n, path, "the password stands in the file; write ${VAR} for it, and set the environment variable VAR")
	}
}

// lintTable warns of rules that never apply and columns that nobody writes.
func (c *tableCompiler) lintTable(s *Source) {
	written := map[string]bool{}
	for _, o := range c.on {
		if s.All != nil && len(s.All.Types) > 0 && !strings.Contains(o.Name, "*") && !s.matches(s.anyStream(), o.Name) {
			c.warn(o.node, join(c.onPath, o.Name), "never happens: the source reads only the types %s", strings.Join(s.All.Types, ", "))
		}
		for _, r := range o.Value {
			for _, columns := range r.verbs {
				for _, column := range columns {
					written[column.Name] = true
				}
			}
		}
	}
	for _, column := range c.columns {
		if !written[column.Name] && !slices.Contains(c.def.Key, column.Name) && column.Value.fallback == nil {
			c.warn(column.node, join(join(c.path, "columns"), column.Name), "no event changes this column")
		}
	}
}

// lintOrder warns if a row depends on the order of events between which there is none.
func (c *tableCompiler) lintOrder(s *Source) {
	if len(s.Streams) < 2 {
		return
	}
	for _, o := range c.on {
		for i := range o.Value {
			if r := &o.Value[i]; r.ordered() && !strings.Contains(strings.Join(c.keyText(r), " "), "event.stream") {
				c.warn(o.node, join(c.onPath, o.Name), "a row may take events from several streams, and there is no order between them: "+
					"if it matters here, read them with source: {all: {streams: [%s]}}, in the order of the log", strings.Join(s.Streams, ", "))
				return
			}
		}
	}
}

// ordered reports whether a row depends on the order of the events that the rule takes.
func (r *rawRule) ordered() bool {
	if r.delete || r.when != nil || len(r.lookup) > 0 {
		return true
	}
	for v, columns := range r.verbs {
		switch verb(v) {
		case verbIncrement, verbMax, verbMin, verbInsert:
		default:
			if len(columns) > 0 {
				return true
			}
		}
	}
	return false
}

// Retries says in words what happens with an event of the projection that cannot be handled, see
// [projector.RetryPolicy.String].
func (p *Projection) Retries() string { return p.retry.String() }
