package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
		var missing []*checkpoint.Table
		for _, t := range tables {
			live, err := liveShape(ctx, s.writer.conn, t.Name)
			if err != nil {
				return err
			}
			if live == nil {
				missing = append(missing, t)
			} else if err := drift.Check(t.Name, *live, drift.Want(t, typeName)); err != nil {
				return err
			}
		}
		for _, t := range missing {
			if err := s.writer.run(ctx, createTable(t)); err != nil {
				return fmt.Errorf("create table %q: %w", t.Name, err)
			}
		}
		return nil
	})
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
	for _, c := range drift.Want(t, typeName).Columns {
		fmt.Fprintf(&b, "\t%s %s", quote(c.Name), c.Type)
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(",\n")
	}
	fmt.Fprintf(&b, "\tPRIMARY KEY (%s)\n)%s;\n", quoteAll(t.Key), storage(t))
	for i, ix := range t.Indexes {
		name := ix.Name
		if name == "" {
			name = fmt.Sprintf("%s_%s_idx%d", t.Name, strings.Join(ix.Columns, "_"), i+1)
		}
		unique := ""
		if ix.Unique {
			unique = "UNIQUE "
		}
		fmt.Fprintf(&b, "CREATE %sINDEX %s ON %s (%s);\n", unique, quote(name), quote(t.Name), quoteAll(ix.Columns))
	}
	return b.String()
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
func liveShape(ctx context.Context, conn *sql.Conn, table string) (*drift.Shape, error) {
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

func liveIndexes(ctx context.Context, conn *sql.Conn, table string) ([]drift.Index, error) {
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
