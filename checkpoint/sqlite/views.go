package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

var _ checkpoint.ViewStore = (*Store)(nil)

// Dialect implements [checkpoint.ViewStore].
func (s *Store) Dialect() string { return "sqlite" }

// EnsureViews implements [checkpoint.ViewStore].
func (s *Store) EnsureViews(ctx context.Context, views ...checkpoint.View) error {
	return s.writer.tx(ctx, func() error {
		same := true
		for _, v := range views {
			live, err := s.liveView(ctx, v.Name)
			if err != nil {
				return err
			}
			same = same && live == createView(v)
		}
		if same {
			return nil
		}
		for i := len(views) - 1; i >= 0; i-- { // later ones may use earlier ones
			if err := s.writer.run(ctx, "DROP VIEW IF EXISTS "+quote(views[i].Name)); err != nil {
				return fmt.Errorf("view %q: %w", views[i].Name, err)
			}
		}
		for _, v := range views {
			if err := s.writer.run(ctx, createView(v)); err != nil {
				return fmt.Errorf("view %q: %w", v.Name, err)
			}
			// The database looks at the query only when it is used.
			if err := s.writer.run(ctx, "SELECT * FROM "+quote(v.Name)+" LIMIT 0"); err != nil {
				return fmt.Errorf("view %q: %w", v.Name, err)
			}
		}
		return nil
	})
}

// ViewDDL returns the statements that make views where there are none, to follow those of [DDL]. [Store.EnsureViews] then has
// nothing to do.
func ViewDDL(views ...checkpoint.View) string {
	var b strings.Builder
	for _, v := range views {
		b.WriteString(createView(v) + ";\n")
	}
	return b.String()
}

func createView(v checkpoint.View) string {
	return "CREATE VIEW " + quote(v.Name) + " AS " + v.Query
}

// liveView returns how a view was made, empty if there is none.
func (s *Store) liveView(ctx context.Context, name string) (string, error) {
	var kind, text string
	err := s.writer.conn.QueryRowContext(ctx, "SELECT type, sql FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')", name).Scan(&kind, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("view %q: %w", name, err)
	case kind != "view":
		return "", fmt.Errorf("%w: view %q: there is a table of that name", checkpoint.ErrInvalid, name)
	}
	return text, nil
}

// ViewRows implements [checkpoint.ViewStore].
func (s *Store) ViewRows(ctx context.Context, view string, limit int, yield func(columns []string, row []any) bool) error {
	query := "SELECT * FROM " + quote(view)
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	rows, err := s.reader.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("view %q: %w", view, classed(err))
	}
	defer rows.Close() //nolint:errcheck // the error is in rows.Err
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("view %q: %w", view, err)
		}
		if !yield(columns, values) {
			return nil
		}
	}
	return rows.Err()
}
