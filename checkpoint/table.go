package checkpoint

import (
	"errors"
	"fmt"
	"slices"
)

// Table describes a read-model table. It does not change once a store has seen it.
type Table struct {
	Name    string   // an identifier as the database will know it; may be any non-empty text, and is always quoted
	Columns []Column // at least one
	Key     []string // columns of the primary key, at least one; their values are never nil
	Indexes []Index
	Prune   *Prune // nil = rows are kept for ever
}

// Column describes a column of a table.
type Column struct {
	Name    string
	Type    Type
	NotNull bool // implied for columns of the key

	// Default is what rows hold that are there when the column is added, and those that others insert without it; nil =
	// NULL. It has the Go type that Type says.
	Default any
}

// Index asks for an index over columns.
type Index struct {
	Name    string // empty = made of table and columns
	Columns []string
	Unique  bool
}

// Type is one of a closed list of column types, with the same meaning in every database.
//
// Rows hold these Go values and no others, nil standing for NULL:
//
//	Text     string
//	Int      int64
//	Float    float64
//	Decimal  string, digits with optional sign and fraction, kept exactly
//	Bool     bool
//	Time     time.Time, UTC, microseconds
//	UUID     uuid.UUID
//	Bytes    []byte
//	JSON     json.RawMessage, valid JSON
//	list     []any of the element's values, none of them nil
type Type struct {
	Base Base
	List bool // a list of Base
}

// Base is a column type that is not a list.
type Base uint8

// The column types.
const (
	Text Base = iota + 1
	Int
	Float
	Decimal
	Bool
	Time
	UUID
	Bytes
	JSON
)

// Bases returns the names of all column types, in the order of their declaration.
func Bases() []string {
	return []string{"text", "int", "float", "decimal", "bool", "time", "uuid", "bytes", "json"}
}

func (b Base) String() string {
	if b < Text || b > JSON {
		return fmt.Sprintf("Base(%d)", uint8(b))
	}
	return Bases()[b-1]
}

// ParseBase returns the type of that name.
func ParseBase(name string) (Base, bool) {
	i := slices.Index(Bases(), name)
	return Base(i + 1), i >= 0
}

func (t Type) String() string {
	if t.List {
		return "list of " + t.Base.String()
	}
	return t.Base.String()
}

// Column returns the index of the column of that name, or -1.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// KeyIndexes returns the indexes of the key's columns, in the order of the key.
func (t *Table) KeyIndexes() []int {
	indexes := make([]int, len(t.Key))
	for i, name := range t.Key {
		indexes[i] = t.Column(name)
	}
	return indexes
}

// Addable reports whether the column can be added to a table that has rows.
func (c *Column) Addable() bool { return !c.NotNull || c.Default != nil }

func (c *Column) checkDefault() error {
	if c.Default == nil {
		return nil
	}
	_, err := c.Canonical(c.Default)
	return err
}

// Validate reports every mistake in the description, joined, as [ErrInvalid].
func (t *Table) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: table %q: "+format, append([]any{ErrInvalid, t.Name}, args...)...))
	}
	if t.Name == "" {
		fail("has no name")
	}
	if len(t.Columns) == 0 {
		fail("has no columns")
	}
	if len(t.Key) == 0 {
		fail("has no primary key")
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if c.Name == "" {
			fail("a column has no name")
		}
		if seen[c.Name] {
			fail("column %q occurs twice", c.Name)
		}
		seen[c.Name] = true
		if c.Type.Base < Text || c.Type.Base > JSON {
			fail("column %q has no type", c.Name)
		} else if err := c.checkDefault(); err != nil {
			fail("column %q: default: %w", c.Name, err)
		}
	}
	keys := map[string]bool{}
	for _, name := range t.Key {
		i := t.Column(name)
		switch {
		case i < 0:
			fail("primary key names %q, which is no column", name)
		case keys[name]:
			fail("primary key names %q twice", name)
		case t.Columns[i].Default != nil:
			fail("column %q is part of the primary key, and so has no default", name)
		case t.Columns[i].Type.List || t.Columns[i].Type.Base == JSON || t.Columns[i].Type.Base == Decimal:
			fail("column %q of type %v cannot be part of the primary key", name, t.Columns[i].Type)
		}
		keys[name] = true
	}
	for _, ix := range t.Indexes {
		if len(ix.Columns) == 0 {
			fail("index %q has no columns", ix.Name)
		}
		for _, name := range ix.Columns {
			if t.Column(name) < 0 {
				fail("index %q names %q, which is no column", ix.Name, name)
			}
		}
	}
	if err := t.validatePrune(); err != nil {
		fail("%w", err)
	}
	return errors.Join(errs...)
}
