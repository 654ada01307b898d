package memory

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// table holds the rows of one table, each with its columns in the order of def.
type table struct {
	def    *checkpoint.Table
	rows   map[string][]any    // by encoded key
	unique []map[string]string // for each unique index: encoded columns to encoded key
}

func newTable(def *checkpoint.Table) *table {
	t := &table{def: def, rows: map[string][]any{}}
	for _, ix := range def.Indexes {
		if ix.Unique {
			t.unique = append(t.unique, map[string]string{})
		}
	}
	return t
}

// migrated returns the table with what it lacks.
func (t *table) migrated(diff *checkpoint.TableDiff) (*table, error) {
	def := *t.def
	def.Columns = slices.Concat(def.Columns, diff.Columns)
	def.Indexes = slices.Concat(def.Indexes, diff.Indexes)
	next := newTable(&def)
	for _, row := range t.rows {
		row = slices.Clone(row)
		for i := range diff.Columns {
			row = append(row, defaultOf(&diff.Columns[i]))
		}
		if _, err := next.put(row); err != nil {
			return nil, drift.NotUnique(diff.Table, diff.Indexes[0], err)
		}
	}
	return next, nil
}

// order says where each column of the table is in rows of another definition of it, -1 for those that it does not know;
// nil if they are the same.
func (t *table) order(def *checkpoint.Table) []int {
	same := len(t.def.Columns) == len(def.Columns)
	order := make([]int, len(t.def.Columns))
	for i, c := range t.def.Columns {
		order[i] = def.Column(c.Name)
		same = same && order[i] == i
	}
	if same {
		return nil
	}
	return order
}

// permute returns row with its values at the places that order names. Columns that it does not have are as they were, or
// hold their default in a row that is new.
func (t *table) permute(row []any, order []int) []any {
	if order == nil {
		return slices.Clone(row)
	}
	out := make([]any, len(order))
	for i, at := range order {
		if at >= 0 {
			out[i] = row[at]
		}
	}
	was := t.rows[t.keyOf(out)]
	for i, at := range order {
		switch {
		case at >= 0:
		case was != nil:
			out[i] = was[i]
		default:
			out[i] = defaultOf(&t.def.Columns[i])
		}
	}
	return out
}

// defaultOf is the default of a column, which was found good when the table was made.
func defaultOf(c *checkpoint.Column) any {
	if c.Default == nil {
		return nil
	}
	v, err := c.Canonical(c.Default)
	if err != nil {
		panic(err)
	}
	return v
}

// unpermute is the inverse of permute.
func unpermute(row []any, order []int) []any {
	if order == nil {
		return slices.Clone(row)
	}
	n := 0
	for _, at := range order {
		n = max(n, at+1)
	}
	out := make([]any, n)
	for i, at := range order {
		if at >= 0 {
			out[at] = row[i]
		}
	}
	return out
}

// load returns a copy of the row with that key, nil if there is none.
func (t *table) load(key []any, order []int) []any {
	row, ok := t.rows[encode(key)]
	if !ok {
		return nil
	}
	return unpermute(row, order)
}

// keyOf returns the encoded key of a row.
func (t *table) keyOf(row []any) string {
	key := make([]any, len(t.def.Key))
	for i, at := range t.def.KeyIndexes() {
		key[i] = row[at]
	}
	return encode(key)
}

// undo is a change of one row that can be taken back.
type undo struct {
	table *table
	key   string
	row   []any // what was there, nil if nothing
}

func (u undo) apply() {
	u.table.unindex(u.key)
	delete(u.table.rows, u.key)
	if u.row != nil {
		u.table.rows[u.key] = u.row
		u.table.index(u.key, u.row)
	}
}

// put stores a row whose values are canonical.
func (t *table) put(row []any) (undo, error) {
	key := t.keyOf(row)
	u := undo{t, key, t.rows[key]}
	for n, columns := range t.uniqueColumns() {
		if value, ok := t.project(row, columns); ok {
			if owner, taken := t.unique[n][value]; taken && owner != key {
				return u, fmt.Errorf("another row has the same values in the columns of the unique index %d", n)
			}
		}
	}
	t.unindex(key)
	t.rows[key] = row
	t.index(key, row)
	return u, nil
}

func (t *table) remove(key []any) undo {
	encoded := encode(key)
	u := undo{t, encoded, t.rows[encoded]}
	t.unindex(encoded)
	delete(t.rows, encoded)
	return u
}

// uniqueColumns returns the columns of each unique index.
func (t *table) uniqueColumns() [][]string {
	if len(t.unique) == 0 {
		return nil
	}
	var all [][]string
	for _, ix := range t.def.Indexes {
		if ix.Unique {
			all = append(all, ix.Columns)
		}
	}
	return all
}

func (t *table) index(key string, row []any) {
	for n, columns := range t.uniqueColumns() {
		if value, ok := t.project(row, columns); ok {
			t.unique[n][value] = key
		}
	}
}

func (t *table) unindex(key string) {
	row, ok := t.rows[key]
	if !ok {
		return
	}
	for n, columns := range t.uniqueColumns() {
		if value, ok := t.project(row, columns); ok {
			delete(t.unique[n], value)
		}
	}
}

// project encodes the values of some columns; ok is false if one is nil, for nil equals nothing.
func (t *table) project(row []any, columns []string) (encoded string, ok bool) {
	values := make([]any, len(columns))
	for i, name := range columns {
		if values[i] = row[t.def.Column(name)]; values[i] == nil {
			return "", false
		}
	}
	return encode(values), true
}

// sorted returns copies of at most limit rows (0 = all) in the order of the key.
func (t *table) sorted(limit int, order []int) [][]any {
	rows := make([][]any, 0, len(t.rows))
	for _, row := range t.rows {
		rows = append(rows, row)
	}
	at := t.def.KeyIndexes()
	slices.SortFunc(rows, func(a, b []any) int {
		for _, i := range at {
			if c := compare(a[i], b[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	if limit > 0 && limit < len(rows) {
		rows = rows[:limit]
	}
	for i := range rows {
		rows[i] = unpermute(rows[i], order)
	}
	return rows
}

// compare orders two values of a key column as the databases do: text and bytes bytewise.
func compare(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case bool:
		return cmp.Compare(btoi(a), btoi(b.(bool)))
	case time.Time:
		return a.Compare(b.(time.Time))
	case uuid.UUID:
		other := b.(uuid.UUID)
		return bytes.Compare(a[:], other[:])
	case []byte:
		return bytes.Compare(a, b.([]byte))
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// encode makes a map key of values: two lists have the same encoding if they are equal.
func encode(values []any) string {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		case []byte:
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		case float64:
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v+0)) // -0 equals 0
		case bool:
			b = append(b, byte(btoi(v)))
		case time.Time:
			b = binary.BigEndian.AppendUint64(b, uint64(v.UnixMicro()))
		case uuid.UUID:
			b = append(b, v[:]...)
		default:
			b = fmt.Appendf(b, "%T:%v;", v, v)
		}
	}
	return string(b)
}
