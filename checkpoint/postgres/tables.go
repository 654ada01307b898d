package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// EnsureTables implements [checkpoint.Store]. Tables are changed under the same lock as Migrate takes. A change that has
// to wait for others who use a table gives up after lockTimeout, since all who come later wait behind it.
func (s *Store) EnsureTables(ctx context.Context, tables ...*checkpoint.Table) error {
	for _, t := range tables {
		if err := checkTable(t); err != nil {
			return err
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if same, err := s.sameTables(ctx, tx, tables); same || err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+lockTimeout+`'`); err != nil {
			return s.explain(err)
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE `+quote(s.schema)+`.projector_version IN EXCLUSIVE MODE`); err != nil {
			return s.explain(err)
		}
		diffs, err := s.diff(ctx, tx, tables)
		if err == nil {
			err = drift.Errors(diffs)
		}
		for i := range diffs {
			if err == nil {
				err = s.mend(ctx, tx, &diffs[i])
			}
		}
		return err
	})
}

// lockTimeout is how long the change of a table waits for those who use it, before it is tried again later.
const lockTimeout = "5s"

// sameTables reports whether there is nothing to do.
func (s *Store) sameTables(ctx context.Context, tx pgx.Tx, tables []*checkpoint.Table) (bool, error) {
	diffs, err := s.diff(ctx, tx, tables)
	if err == nil {
		err = drift.Errors(diffs)
	}
	return err == nil && !slices.ContainsFunc(diffs, func(d checkpoint.TableDiff) bool { return !d.Empty() }), err
}

// Diff implements [checkpoint.Store].
func (s *Store) Diff(ctx context.Context, tables ...*checkpoint.Table) (diffs []checkpoint.TableDiff, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		diffs, err = s.diff(ctx, tx, tables)
		return err
	})
	return diffs, err
}

func (s *Store) diff(ctx context.Context, tx pgx.Tx, tables []*checkpoint.Table) ([]checkpoint.TableDiff, error) {
	diffs := make([]checkpoint.TableDiff, len(tables))
	for i, t := range tables {
		live, err := s.liveShape(ctx, tx, t.Name)
		if err != nil {
			return nil, err
		}
		diffs[i] = drift.Compare(t, live, typeName)
	}
	return diffs, nil
}

// mend makes a table, or gives it what it lacks.
func (s *Store) mend(ctx context.Context, tx pgx.Tx, diff *checkpoint.TableDiff) error {
	t := diff.Table
	if diff.Missing {
		if _, err := tx.Exec(ctx, createTable(s.schema, t)); err != nil {
			return fmt.Errorf("create table %q: %w", t.Name, err)
		}
		return nil
	}
	for i := range diff.Columns {
		c := &diff.Columns[i]
		if _, err := tx.Exec(ctx, "ALTER TABLE "+quote(s.schema)+"."+quote(t.Name)+" ADD COLUMN "+columnSQL(t, c)); err != nil {
			return fmt.Errorf("table %q: add column %q: %w", t.Name, c.Name, err)
		}
	}
	for _, ix := range diff.Indexes {
		if _, err := tx.Exec(ctx, indexSQL(s.schema, t, ix)); err != nil {
			if isState(err, "23505") {
				return drift.NotUnique(t, ix, err)
			}
			return fmt.Errorf("table %q: create index: %w", t.Name, err)
		}
	}
	if len(diff.Columns) == 0 {
		return nil
	}
	return s.outdateViewsOf(ctx, tx, t.Name)
}

func checkTable(t *checkpoint.Table) error {
	errs := []error{t.Validate(), checkIdentifier("table", t.Name)}
	if strings.HasPrefix(t.Name, "projector_") {
		errs = append(errs, fmt.Errorf("%w: table %q: names that begin with projector_ are the framework's own", checkpoint.ErrInvalid, t.Name))
	}
	for _, c := range t.Columns {
		errs = append(errs, checkIdentifier("table "+quote(t.Name)+": column", c.Name))
	}
	return errors.Join(errs...)
}

// typeName is the type of a column in the words of format_type.
func typeName(c *checkpoint.Column, inKey bool) string {
	name := sqlType(c.Type)
	if inKey && c.Type.Base == checkpoint.Text {
		name += ` COLLATE "C"`
	}
	return name
}

func sqlType(t checkpoint.Type) string {
	names := map[checkpoint.Base]string{
		checkpoint.Text: "text", checkpoint.Int: "bigint", checkpoint.Float: "double precision", checkpoint.Decimal: "numeric",
		checkpoint.Bool: "boolean", checkpoint.Time: "timestamp with time zone", checkpoint.UUID: "uuid",
		checkpoint.Bytes: "bytea", checkpoint.JSON: "jsonb",
	}
	if t.List {
		return names[t.Base] + "[]"
	}
	return names[t.Base]
}

// createTable returns the statements that make a table and its indexes.
func createTable(schema string, t *checkpoint.Table) string {
	return strings.Join(tableStatements(schema, t), ";\n")
}

func tableStatements(schema string, t *checkpoint.Table) []string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s.%s (\n", quote(schema), quote(t.Name))
	for i := range t.Columns {
		b.WriteString("\t" + columnSQL(t, &t.Columns[i]) + ",\n")
	}
	fmt.Fprintf(&b, "\tPRIMARY KEY (%s)\n)", quoteAll(t.Key))
	statements := []string{b.String()}
	for _, ix := range t.Indexes {
		statements = append(statements, indexSQL(schema, t, ix))
	}
	return statements
}

// columnSQL describes a column within a statement.
func columnSQL(t *checkpoint.Table, c *checkpoint.Column) string {
	inKey := contains(t.Key, c.Name)
	sql := quote(c.Name) + " " + typeName(c, inKey)
	if c.NotNull || inKey {
		sql += " NOT NULL"
	}
	if c.Default != nil {
		sql += " DEFAULT " + defaultSQL(c)
	}
	return sql
}

// defaultSQL writes the default of a column, which Validate has found good.
func defaultSQL(c *checkpoint.Column) string {
	v, err := c.Canonical(c.Default)
	if err != nil {
		panic(fmt.Sprintf("default of column %q: %v", c.Name, err))
	}
	var text string
	if list, ok := v.([]any); ok {
		text = string(appendList(nil, list))
	} else {
		text = elementText(v)
	}
	return literal(text) + "::" + sqlType(c.Type)
}

func indexSQL(schema string, t *checkpoint.Table, ix checkpoint.Index) string {
	sql := "CREATE "
	if ix.Unique {
		sql += "UNIQUE "
	}
	sql += "INDEX "
	if ix.Name != "" { // Postgres makes one of table and columns
		sql += quote(ix.Name) + " "
	}
	return fmt.Sprintf("%sON %s.%s (%s)", sql, quote(schema), quote(t.Name), quoteAll(ix.Columns))
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}

// liveShape reads a table from the catalog; nil if there is none.
func (s *Store) liveShape(ctx context.Context, tx pgx.Tx, table string) (*drift.Shape, error) {
	var oid uint32
	err := tx.QueryRow(ctx, `SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`, s.schema, table).Scan(&oid)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	shape := &drift.Shape{}
	rows, err := tx.Query(ctx, `SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)
			|| coalesce((SELECT ' COLLATE ' || quote_ident(l.collname) FROM pg_collation l
				WHERE l.oid = a.attcollation AND l.collname <> 'default'), ''), a.attnotnull
		FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, oid)
	if err != nil {
		return nil, err
	}
	shape.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c drift.Column, err error) {
		return c, row.Scan(&c.Name, &c.Type, &c.NotNull)
	})
	if err != nil {
		return nil, err
	}
	return shape, liveIndexes(ctx, tx, oid, shape)
}

func liveIndexes(ctx context.Context, tx pgx.Tx, oid uint32, shape *drift.Shape) error {
	rows, err := tx.Query(ctx, `SELECT i.indisprimary, i.indisunique, array(SELECT coalesce(a.attname::text, '(expression)')
			FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
			LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
			WHERE k.n <= i.indnkeyatts ORDER BY k.n)
		FROM pg_index i WHERE i.indrelid = $1 AND i.indpred IS NULL AND i.indisvalid`, oid)
	if err != nil {
		return err
	}
	var primary, unique bool
	var columns []string
	_, err = pgx.ForEachRow(rows, []any{&primary, &unique, &columns}, func() error {
		if primary {
			shape.Key = columns
		} else {
			shape.Indexes = append(shape.Indexes, drift.Index{Columns: columns, Unique: unique})
		}
		columns = nil
		return nil
	})
	return err
}
