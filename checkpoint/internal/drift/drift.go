// Package drift compares the table that a database has with the one that is wanted.
package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

// Shape is a table in the words of one database.
type Shape struct {
	Columns []Column
	Key     []string
	Indexes []Index
}

// Column of a [Shape].
type Column struct {
	Name    string
	Type    string
	NotNull bool
}

// Index of a [Shape]. Its name does not matter.
type Index struct {
	Columns []string
	Unique  bool
}

// Want is the shape of a definition; typeName says what the database calls a column's type.
func Want(t *checkpoint.Table, typeName func(c *checkpoint.Column, inKey bool) string) Shape {
	shape := Shape{Key: t.Key}
	for i := range t.Columns {
		c := &t.Columns[i]
		inKey := slices.Contains(t.Key, c.Name)
		shape.Columns = append(shape.Columns, Column{c.Name, typeName(c, inKey), c.NotNull || inKey})
	}
	for _, ix := range t.Indexes {
		shape.Indexes = append(shape.Indexes, Index{ix.Columns, ix.Unique})
	}
	return shape
}

// Check returns a *[checkpoint.DriftError] if live differs from want. The order of columns does not matter, nor do
// further indexes that are not unique.
func Check(table string, live, want Shape) error {
	var differences []string
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	for _, w := range want.Columns {
		i := slices.IndexFunc(live.Columns, func(l Column) bool { return l.Name == w.Name })
		switch {
		case i < 0:
			add("column %q: is missing, wants %s", w.Name, w)
		case live.Columns[i] != w:
			add("column %q: is %s, wants %s", w.Name, live.Columns[i], w)
		}
	}
	for _, l := range live.Columns {
		if !slices.ContainsFunc(want.Columns, func(w Column) bool { return w.Name == l.Name }) {
			add("column %q: is %s, is not wanted", l.Name, l)
		}
	}
	if !slices.Equal(live.Key, want.Key) {
		add("primary key: is (%s), wants (%s)", strings.Join(live.Key, ", "), strings.Join(want.Key, ", "))
	}
	for _, w := range want.Indexes {
		if !slices.ContainsFunc(live.Indexes, w.equal) {
			add("%s: is missing", w)
		}
	}
	for _, l := range live.Indexes {
		if l.Unique && !slices.ContainsFunc(want.Indexes, l.equal) {
			add("%s: is not wanted", l)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return &checkpoint.DriftError{Table: table, Differences: differences}
}

func (c Column) String() string {
	if c.NotNull {
		return c.Type + " not null"
	}
	return c.Type
}

func (ix Index) equal(other Index) bool {
	return ix.Unique == other.Unique && slices.Equal(ix.Columns, other.Columns)
}

func (ix Index) String() string {
	if ix.Unique {
		return "unique index on (" + strings.Join(ix.Columns, ", ") + ")"
	}
	return "index on (" + strings.Join(ix.Columns, ", ") + ")"
}
