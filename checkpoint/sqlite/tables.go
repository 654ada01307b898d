package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// EnsureTables implements [checkpoint.Store].
func (s *Store) EnsureTables(ctx context.Context, tables ...*checkpoint.Table) error {
	for _, t := range tables {
		if err := checkTable(t); err != nil {
			return err
		}
	}
	return s.writer.tx(ctx, func() error {
		diffs, err := diffTables(ctx, s.writer.conn, tables)
		if err == nil {
			err = drift.Errors(diffs)
		}
		for i := range diffs {
			if err == nil {
				err = s.mend(ctx, &diffs[i])
			}
		}
		return err
	})
}

// Diff implements [checkpoint.Store].
func (s *Store) Diff(ctx context.Context, tables ...*checkpoint.Table) ([]checkpoint.TableDiff, error) {
	diffs, err := diffTables(ctx, s.reader, tables)
	return diffs, classed(err)
}

func diffTables(ctx context.Context, q queryer, tables []*checkpoint.Table) ([]checkpoint.TableDiff, error) {
	diffs := make([]checkpoint.TableDiff, len(tables))
	for i, t := range tables {
		live, err := liveShape(ctx, q, t.Name)
		if err != nil {
			return nil, err
		}
		diffs[i] = drift.Compare(t, live, typeName)
	}
	return diffs, nil
}

// mend makes a table, or gives it what it lacks.
func (s *Store) mend(ctx context.Context, diff *checkpoint.TableDiff) error {
	t := diff.Table
	if diff.Missing {
		if err := s.writer.run(ctx, createTable(t)); err != nil {
			return fmt.Errorf("create table %q: %w", t.Name, err)
		}
		return nil
	}
	for i := range diff.Columns {
		c := &diff.Columns[i]
		if err := s.writer.run(ctx, "ALTER TABLE "+quote(t.Name)+" ADD COLUMN "+columnSQL(t, c)); err != nil {
			return fmt.Errorf("table %q: add column %q: %w", t.Name, c.Name, err)
		}
	}
	for _, ix := range diff.Indexes {
		if err := s.writer.run(ctx, indexSQL(t, ix)); err != nil {
			if s.Classify(err) == checkpoint.ClassData {
				return drift.NotUnique(t, ix, err)
			}
			return fmt.Errorf("table %q: create index: %w", t.Name, err)
		}
	}
	return nil
}

func checkTable(t *checkpoint.Table) error {
	errs := []error{t.Validate()}
	for _, prefix := range []string{"projector_", "sqlite_"} {
		if strings.HasPrefix(strings.ToLower(t.Name), prefix) {
			errs = append(errs, fmt.Errorf("%w: table %q: names that begin with %s are reserved", checkpoint.ErrInvalid, t.Name, prefix))
		}
	}
	return errors.Join(errs...)
}

// typeName is the declared type of a column. SQLite takes its affinity from the letters in it.
func typeName(c *checkpoint.Column, _ bool) string {
	if c.Type.List {
		return "TEXT_LIST_" + strings.ToUpper(c.Type.Base.String())
	}
	return map[checkpoint.Base]string{
		checkpoint.Text: "TEXT", checkpoint.Int: "INTEGER", checkpoint.Float: "REAL", checkpoint.Decimal: "DECIMAL_TEXT",
		checkpoint.Bool: "INTEGER_BOOL", checkpoint.Time: "TIME_TEXT", checkpoint.UUID: "UUID_TEXT",
		checkpoint.Bytes: "BLOB", checkpoint.JSON: "JSON_TEXT",
	}[c.Type.Base]
}

// createTable returns the statements that make a table and its indexes.
func createTable(t *checkpoint.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", quote(t.Name))
	for i := range t.Columns {
		b.WriteString("\t" + columnSQL(t, &t.Columns[i]) + ",\n")
	}
	fmt.Fprintf(&b, "\tPRIMARY KEY (%s)\n)%s;\n", quoteAll(t.Key), storage(t))
	for _, ix := range t.Indexes {
		b.WriteString(indexSQL(t, ix) + ";\n")
	}
	return b.String()
}

// columnSQL describes a column within a statement.
func columnSQL(t *checkpoint.Table, c *checkpoint.Column) string {
	inKey := slices.Contains(t.Key, c.Name)
	sql := quote(c.Name) + " " + typeName(c, inKey)
	if c.NotNull || inKey {
		sql += " NOT NULL"
	}
	if c.Default != nil {
		sql += " DEFAULT " + literal(c)
	}
	return sql
}

// literal writes the default of a column, which Validate has found good.
func literal(c *checkpoint.Column) string {
	v, err := c.Canonical(c.Default)
	if err != nil {
		panic(fmt.Sprintf("default of column %q: %v", c.Name, err))
	}
	switch v := bind(nil, []any{v})[0].(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'e', -1, 64)
	case []byte:
		return fmt.Sprintf("x'%x'", v)
	case string:
		return `'` + strings.ReplaceAll(v, `'`, `''`) + `'`
	default:
		panic(fmt.Sprintf("default of type %T", v))
	}
}

// indexSQL makes an index. Its name tells which it is, so that no two have the same.
func indexSQL(t *checkpoint.Table, ix checkpoint.Index) string {
	unique, name := "", ix.Name
	if name == "" {
		name = t.Name + "(" + strings.Join(ix.Columns, ", ") + ")"
	}
	if ix.Unique {
		unique = "UNIQUE "
		if ix.Name == "" {
			name += " unique"
		}
	}
	return fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, quote(name), quote(t.Name), quoteAll(ix.Columns))
}

// storage keeps short rows in the tree of their key, which saves half the work of a write. Long rows would make that
// tree deep, and a single integer key is the row's number anyway.
func storage(t *checkpoint.Table) string {
	if len(t.Key) == 1 && t.Columns[t.Column(t.Key[0])].Type.Base == checkpoint.Int {
		return ""
	}
	for _, c := range t.Columns {
		if c.Type.List || c.Type.Base == checkpoint.JSON || c.Type.Base == checkpoint.Bytes {
			return ""
		}
	}
	return " WITHOUT ROWID"
}

// liveShape reads a table from the catalog; nil if there is none.
func liveShape(ctx context.Context, conn queryer, table string) (*drift.Shape, error) {
	var n int
	err := conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE`, table).Scan(&n)
	if err != nil || n == 0 {
		return nil, err
	}
	shape := &drift.Shape{}
	rows, err := conn.QueryContext(ctx, `SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	key := map[int]string{}
	for rows.Next() {
		var c drift.Column
		var pk int
		if err := rows.Scan(&c.Name, &c.Type, &c.NotNull, &pk); err != nil {
			return nil, err
		}
		shape.Columns = append(shape.Columns, c)
		if pk > 0 {
			key[pk] = c.Name
		}
	}
	for i := range len(key) {
		shape.Key = append(shape.Key, key[i+1])
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	shape.Indexes, err = liveIndexes(ctx, conn, table)
	return shape, err
}

func liveIndexes(ctx context.Context, conn queryer, table string) ([]drift.Index, error) {
	rows, err := conn.QueryContext(ctx, `SELECT l.name, l."unique", coalesce(i.name, '(expression)') FROM pragma_index_list(?) l,
		pragma_index_info(l.name) i WHERE l.origin = 'c' AND l.partial = 0 ORDER BY l.seq, i.seqno`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var indexes []drift.Index
	last := ""
	for rows.Next() {
		var name, column string
		var unique bool
		if err := rows.Scan(&name, &unique, &column); err != nil {
			return nil, err
		}
		if name != last || indexes == nil {
			indexes = append(indexes, drift.Index{Unique: unique})
			last = name
		}
		ix := &indexes[len(indexes)-1]
		ix.Columns = append(ix.Columns, column)
	}
	return indexes, rows.Err()
}

// quote makes an SQL identifier of any name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
