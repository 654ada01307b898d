package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

var _ checkpoint.ViewStore = (*Store)(nil)

// Dialect implements [checkpoint.ViewStore].
func (s *Store) Dialect() string { return "postgres" }

// EnsureViews implements [checkpoint.ViewStore]. A view keeps its query as a comment, since Postgres keeps only what it
// makes of it.
func (s *Store) EnsureViews(ctx context.Context, views ...checkpoint.View) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		same, err := s.sameViews(ctx, tx, views)
		if err != nil || same {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE `+quote(s.schema)+`.projector_version IN EXCLUSIVE MODE`); err != nil {
			return s.explain(err)
		}
		if same, err = s.sameViews(ctx, tx, views); err != nil || same {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL search_path = `+quote(s.schema)); err != nil {
			return s.explain(err)
		}
		for i := len(views) - 1; i >= 0; i-- { // later ones may use earlier ones
			if _, err := tx.Exec(ctx, `DROP VIEW IF EXISTS `+quote(views[i].Name)); err != nil {
				return fmt.Errorf("view %q: %w", views[i].Name, err)
			}
		}
		for _, v := range views {
			if err := createView(ctx, tx, v); err != nil {
				return fmt.Errorf("view %q: %w", v.Name, err)
			}
		}
		return nil
	})
}

// viewMark begins the comment of a view that EnsureViews has made; the query follows.
const viewMark = "made by projector from: "

// ViewDDL returns the statements that make views in a schema where there are none, to follow those of [DDL].
// [Store.EnsureViews] then has nothing to do, and needs no right to create anything.
func ViewDDL(schema string, views ...checkpoint.View) string {
	if len(views) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SET search_path = %s;\n", quote(schema))
	for _, v := range views {
		fmt.Fprintf(&b, "CREATE VIEW %s AS %s;\nCOMMENT ON VIEW %[1]s IS %[3]s;\n", quote(v.Name), v.Query, literal(viewMark+v.Query))
	}
	b.WriteString("RESET search_path;\n")
	return b.String()
}

func createView(ctx context.Context, tx pgx.Tx, v checkpoint.View) error {
	if _, err := tx.Exec(ctx, `CREATE VIEW `+quote(v.Name)+` AS `+v.Query); err != nil {
		return err
	}
	var literal string
	if err := tx.QueryRow(ctx, `SELECT quote_literal($1::text)`, viewMark+v.Query).Scan(&literal); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `COMMENT ON VIEW `+quote(v.Name)+` IS `+literal)
	return err
}

// sameViews reports whether all views are there with their queries.
func (s *Store) sameViews(ctx context.Context, tx pgx.Tx, views []checkpoint.View) (bool, error) {
	for _, v := range views {
		var kind, query string
		err := tx.QueryRow(ctx, `SELECT c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`, s.schema, v.Name).Scan(&kind, &query)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("view %q: %w", v.Name, s.explain(err))
		case kind != "v":
			return false, fmt.Errorf("%w: view %q: there is a table of that name", checkpoint.ErrInvalid, v.Name)
		case query != viewMark+v.Query:
			return false, nil
		}
	}
	return true, nil
}

// dropViewsOf returns the statement that drops the views of EnsureViews which use a table, empty if there are none.
func (s *Store) dropViewsOf(ctx context.Context, tx pgx.Tx, table string) (string, error) {
	names, err := s.viewsOf(ctx, tx, table)
	if err != nil || len(names) == 0 {
		return "", err
	}
	return "DROP VIEW " + strings.Join(names, ", "), nil
}

// outdateViewsOf has EnsureViews make those views anew which use a table: what * means in them was decided when they were
// made.
func (s *Store) outdateViewsOf(ctx context.Context, tx pgx.Tx, table string) error {
	names, err := s.viewsOf(ctx, tx, table)
	for _, name := range names {
		if err == nil {
			_, err = tx.Exec(ctx, "COMMENT ON VIEW "+name+" IS "+literal(viewMark+"(outdated)"))
		}
	}
	return err
}

// viewsOf returns the views of EnsureViews that use a table, as identifiers.
func (s *Store) viewsOf(ctx context.Context, tx pgx.Tx, table string) ([]string, error) {
	rows, err := tx.Query(ctx, `WITH RECURSIVE users AS (
SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
UNION
SELECT r.ev_class FROM users u JOIN pg_depend d ON d.refobjid = u.oid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite r ON r.oid = d.objid WHERE obj_description(r.ev_class, 'pg_class') LIKE $3
)
SELECT c.relname FROM users u JOIN pg_class c ON c.oid = u.oid AND c.relkind = 'v' ORDER BY c.relname`, s.schema, table, viewMark+"%")
	if err != nil {
		return nil, s.explain(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i, name := range names {
		names[i] = quote(s.schema) + "." + quote(name)
	}
	return names, err
}

// ViewRows implements [checkpoint.ViewStore].
func (s *Store) ViewRows(ctx context.Context, view string, limit int, yield func(columns []string, row []any) bool) error {
	query := `SELECT * FROM ` + quote(s.schema) + `.` + quote(view)
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	return s.with(ctx, func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, pgx.QueryExecModeExec)
		if err != nil {
			return fmt.Errorf("view %q: %w", view, s.explain(err))
		}
		defer rows.Close()
		var columns []string
		for _, f := range rows.FieldDescriptions() {
			columns = append(columns, f.Name)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return fmt.Errorf("view %q: %w", view, err)
			}
			for i := range values {
				values[i] = viewValue(values[i])
			}
			if !yield(columns, values) {
				return nil
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("view %q: %w", view, s.explain(err))
		}
		return nil
	})
}

// viewValue makes one of the types that rows have of what the driver gives.
func viewValue(v any) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case int16:
		return int64(v)
	case float32:
		return float64(v)
	case [16]byte:
		return uuid.UUID(v)
	case time.Time:
		return v.UTC()
	case pgtype.Numeric:
		text, err := v.Value()
		if err != nil {
			return nil
		}
		return text
	case map[string]any, []any:
		raw, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return json.RawMessage(raw)
	}
	return v
}
