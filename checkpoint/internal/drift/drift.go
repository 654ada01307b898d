// Package drift compares the table that a database has with the one that is wanted.
package drift

import (
	"errors"
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

// Compare says how a live table differs from its definition; live is nil if there is none. The order of columns does not
// matter, nor do further indexes that are not unique.
func Compare(t *checkpoint.Table, live *Shape, typeName func(c *checkpoint.Column, inKey bool) string) checkpoint.TableDiff {
	diff := checkpoint.TableDiff{Table: t}
	if live == nil {
		diff.Missing = true
		return diff
	}
	want := Want(t, typeName)
	add := func(format string, args ...any) { diff.Drift = append(diff.Drift, fmt.Sprintf(format, args...)) }
	for i, w := range want.Columns {
		at := slices.IndexFunc(live.Columns, func(l Column) bool { return l.Name == w.Name })
		switch {
		case at >= 0 && live.Columns[at] != w:
			add("column %q: is %s, wants %s", w.Name, live.Columns[at], w)
		case at >= 0:
		case slices.Contains(t.Key, w.Name):
			add("column %q: is missing, wants %s, as part of the primary key", w.Name, w)
		case !t.Columns[i].Addable():
			add("column %q: is missing, wants %s; it can be added if it has a default, or may be null", w.Name, w)
		default:
			diff.Columns = append(diff.Columns, t.Columns[i])
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
	for i, w := range want.Indexes {
		if !slices.ContainsFunc(live.Indexes, w.equal) {
			diff.Indexes = append(diff.Indexes, t.Indexes[i])
		}
	}
	for _, l := range live.Indexes {
		if l.Unique && !slices.ContainsFunc(want.Indexes, l.equal) {
			add("%s: is not wanted", l)
		}
	}
	return diff
}

// Errors returns a *[checkpoint.DriftError] for each table that cannot be mended, joined.
func Errors(diffs []checkpoint.TableDiff) error {
	var errs []error
	for i := range diffs {
		errs = append(errs, diffs[i].Err())
	}
	return errors.Join(errs...)
}

// NotUnique is the error of a unique index that rows which are there do not allow.
func NotUnique(t *checkpoint.Table, ix checkpoint.Index, err error) error {
	return &checkpoint.DriftError{Table: t.Name, Differences: []string{
		fmt.Sprintf("%s: is missing, and rows that are there do not allow it: %v", Index{ix.Columns, ix.Unique}, err),
	}}
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
