package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// EnsureTables implements [checkpoint.Store]. New tables are made under the same lock as Migrate takes.
func (s *Store) EnsureTables(ctx context.Context, tables ...*checkpoint.Table) error {
	for _, t := range tables {
		if err := checkTable(t); err != nil {
			return err
		}
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		missing, err := s.compareTables(ctx, tx, tables)
		if err != nil || len(missing) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE `+quote(s.schema)+`.projector_version IN EXCLUSIVE MODE`); err != nil {
			return s.explain(err)
		}
		if missing, err = s.compareTables(ctx, tx, missing); err != nil {
			return err
		}
		for _, t := range missing {
			if _, err := tx.Exec(ctx, createTable(s.schema, t)); err != nil {
				return fmt.Errorf("create table %q: %w", t.Name, err)
			}
		}
		return nil
	})
}

// compareTables returns the tables that do not exist, and an error if one does that differs.
func (s *Store) compareTables(ctx context.Context, tx pgx.Tx, tables []*checkpoint.Table) (missing []*checkpoint.Table, err error) {
	for _, t := range tables {
		live, err := s.liveShape(ctx, tx, t.Name)
		if err != nil {
			return nil, err
		}
		if live == nil {
			missing = append(missing, t)
			continue
		}
		if err := drift.Check(t.Name, *live, drift.Want(t, typeName)); err != nil {
			return nil, err
		}
	}
	return missing, nil
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
	name := quote(schema) + "." + quote(t.Name)
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", name)
	for _, c := range drift.Want(t, typeName).Columns {
		fmt.Fprintf(&b, "\t%s %s", quote(c.Name), c.Type)
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(",\n")
	}
	fmt.Fprintf(&b, "\tPRIMARY KEY (%s)\n)", quoteAll(t.Key))
	statements := []string{b.String()}
	for _, ix := range t.Indexes {
		b.Reset()
		b.WriteString("CREATE ")
		if ix.Unique {
			b.WriteString("UNIQUE ")
		}
		b.WriteString("INDEX ")
		if ix.Name != "" { // Postgres makes one of table and columns
			b.WriteString(quote(ix.Name) + " ")
		}
		fmt.Fprintf(&b, "ON %s (%s)", name, quoteAll(ix.Columns))
		statements = append(statements, b.String())
	}
	return statements
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
