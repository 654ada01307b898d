package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

// tableSQL are the statements about one table, made once.
type tableSQL struct {
	upsert, remove, rows, count, clear, prune string

	loads [len(loadSizes)]string // for so many keys
	keys  []*checkpoint.Column
}

// loadSizes are the numbers of keys that one SELECT asks for. Few sizes, so that their statements are prepared once.
var loadSizes = [...]int{256, 16, 1}

// table returns the statements of a table.
func (s *Store) table(t *checkpoint.Table) *tableSQL {
	if compiled, ok := s.compiled.Load(t); ok {
		return compiled.(*tableSQL)
	}
	compiled, _ := s.compiled.LoadOrStore(t, compile(t))
	return compiled.(*tableSQL)
}

func compile(t *checkpoint.Table) *tableSQL {
	name, key := quote(t.Name), quoteAll(t.Key)
	c := &tableSQL{}
	for _, i := range t.KeyIndexes() {
		c.keys = append(c.keys, &t.Columns[i])
	}
	var columns, sets, where []string
	for _, column := range t.Columns {
		columns = append(columns, column.Name)
		if !slices.Contains(t.Key, column.Name) {
			sets = append(sets, quote(column.Name)+" = excluded."+quote(column.Name))
		}
	}
	action := "NOTHING"
	if len(sets) > 0 {
		action = "UPDATE SET " + strings.Join(sets, ", ")
	}
	for _, column := range t.Key {
		where = append(where, quote(column)+" = ?")
	}
	c.upsert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO %s",
		name, quoteAll(columns), places(len(columns)), key, action)
	c.remove = fmt.Sprintf("DELETE FROM %s WHERE %s", name, strings.Join(where, " AND "))
	c.rows = fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", quoteAll(columns), name, key)
	c.count = "SELECT count(*) FROM " + name
	c.clear = "DELETE FROM " + name
	if t.Prune != nil {
		at := quote(t.Prune.Column)
		c.prune = fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s WHERE %s < ? ORDER BY %s LIMIT ?)", name, key, key, name, at, at)
	}
	for i, n := range loadSizes {
		c.loads[i] = loadSQL(t, columns, n)
	}
	return c
}

// loadSQL selects the rows of n keys, each with the place of its key.
func loadSQL(t *checkpoint.Table, columns []string, n int) string {
	aliases, on := make([]string, len(t.Key)), make([]string, len(t.Key))
	for i, column := range t.Key {
		aliases[i] = fmt.Sprintf("k%d", i+1)
		on[i] = fmt.Sprintf("t.%s = k.k%d", quote(column), i+1)
	}
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("(%d, %s)", i, places(len(t.Key)))
	}
	selected := make([]string, len(columns))
	for i, column := range columns {
		selected[i] = "t." + quote(column)
	}
	return fmt.Sprintf("WITH k (n, %s) AS (VALUES %s) SELECT k.n, %s FROM k CROSS JOIN %s AS t ON %s",
		strings.Join(aliases, ", "), strings.Join(values, ", "), strings.Join(selected, ", "), quote(t.Name), strings.Join(on, " AND "))
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
