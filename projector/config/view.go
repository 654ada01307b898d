package config

import (
	"context"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
)

// View is a query that is kept in the database beside the tables.
type View struct {
	Name    string
	queries map[string]string // by dialect
}

// Query returns the view's query in the SQL of a database, empty if it has none.
func (v *View) Query(dialect string) string { return v.queries[dialect] }

// ViewsFor returns the views of the file in the SQL of a database. It is an error if one has no query in it.
func (c *Config) ViewsFor(dialect string) ([]checkpoint.View, error) {
	views := make([]checkpoint.View, 0, len(c.Views))
	for _, v := range c.Views {
		query := v.Query(dialect)
		if query == "" {
			return nil, fmt.Errorf("view %q has no query for %s", v.Name, dialect)
		}
		views = append(views, checkpoint.View{Name: v.Name, Query: query})
	}
	return views, nil
}

// EnsureViews makes the views of the file in a store, whose tables must exist. A store without SQL has none.
func (c *Config) EnsureViews(ctx context.Context, store checkpoint.Store) error {
	s, ok := store.(checkpoint.ViewStore)
	if !ok || len(c.Views) == 0 {
		return nil
	}
	views, err := c.ViewsFor(s.Dialect())
	if err != nil {
		return err
	}
	return s.EnsureViews(ctx, views...)
}

// rawView is a query, or one for each kind of database.
type rawView struct {
	sqlite, postgres string
}

// viewKind reads a view.
type viewKind struct{}

func viewSpec() *object[rawView] {
	return &object[rawView]{fields: []field[rawView]{
		of("sqlite", queryKind{}, func(v *rawView) *string { return &v.sqlite }, "The query for SQLite."),
		of("postgres", queryKind{}, func(v *rawView) *string { return &v.postgres }, "The query for Postgres."),
	}}
}

func (viewKind) describe() *Description {
	return &Description{Type: KindOr, Or: []*Description{queryKind{}.describe(), viewSpec().describe()}}
}

func (viewKind) read(w *walker, n *yaml.Node, path string, v *rawView) {
	if n.Kind == yaml.MappingNode {
		viewSpec().read(w, n, path, v)
		return
	}
	queryKind{}.read(w, n, path, &v.sqlite)
	v.postgres = v.sqlite
}

// queryKind is one SELECT.
type queryKind struct{}

func (queryKind) describe() *Description { return &Description{Type: KindText} }

func (queryKind) read(w *walker, n *yaml.Node, path string, v *string) {
	s, ok := scalar(w, n, path, "a query such as SELECT name FROM ponies")
	if !ok {
		return
	}
	s = strings.TrimSuffix(strings.TrimSpace(s), ";")
	first, _, _ := strings.Cut(strings.ToLower(s), " ")
	first, _, _ = strings.Cut(first, "\n")
	switch {
	case first != "select" && first != "with":
		w.fail(n, path, "want a query that begins with SELECT or WITH, got %s", nameOf(n))
	case severalStatements(s):
		w.fail(n, path, "want one query without a semicolon")
	}
	*v = s
}

// severalStatements reports whether there is a semicolon outside of quotes.
func severalStatements(query string) bool {
	quote := byte(0)
	for i := range len(query) {
		switch c := query[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';':
			return true
		}
	}
	return false
}

// compileViews makes the views of a document whose tables are known.
func (w *walker) compileViews(d *document) []*View {
	var views []*View
	for _, raw := range d.views {
		if _, table := d.Table(raw.Name); table != nil {
			w.fail(raw.node, join("views", raw.Name), "there is a table %q already", raw.Name)
		}
		views = append(views, &View{Name: raw.Name, queries: map[string]string{"sqlite": raw.Value.sqlite, "postgres": raw.Value.postgres}})
	}
	return views
}

// View returns the view of that name, nil if there is none.
func (c *Config) View(name string) *View {
	for _, v := range c.Views {
		if v.Name == name {
			return v
		}
	}
	return nil
}
