package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
)

// writeTable writes what a change does to one table, in the open transaction.
func (s *Store) writeTable(ctx context.Context, w *checkpoint.TableWrite) error {
	query := s.table(w.Table)
	args := make([]any, len(w.Table.Columns))
	for i, key := range w.Deletes {
		canonical, err := w.Table.CanonicalKey(key, i)
		if err != nil {
			return err
		}
		if _, err := s.writer.exec(query.remove, bind(args[:0], canonical)...); err != nil {
			return tableError(w.Table, -1, err)
		}
	}
	if len(w.Upserts) == 0 {
		return nil
	}
	stmt, err := s.writer.stmt(query.upsert) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return tableError(w.Table, -1, err)
	}
	for i, row := range w.Upserts {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		canonical, err := w.Table.CanonicalRow(row, i)
		if err != nil {
			return err
		}
		if _, err := stmt.Exec(bind(args[:0], canonical)...); err != nil { //nolint:noctx // see writer.exec
			return tableError(w.Table, i, err)
		}
	}
	return nil
}

// Load implements [checkpoint.Lease].
func (l *lease) Load(ctx context.Context, t *checkpoint.Table, keys [][]any) ([][]any, error) {
	rows := make([][]any, len(keys))
	query := l.store.table(t)
	for at := 0; at < len(keys); {
		size := 0
		for i, n := range loadSizes {
			if n <= len(keys)-at {
				size = i
				break
			}
		}
		n := loadSizes[size]
		if err := l.store.load(ctx, t, query.loads[size], keys[at:at+n], rows[at:at+n], at); err != nil {
			return nil, err
		}
		at += n
	}
	return rows, nil
}

// load fills rows with those of the keys; at is the place of the first key, for errors.
func (s *Store) load(ctx context.Context, t *checkpoint.Table, query string, keys, rows [][]any, at int) error {
	args := make([]any, 0, len(keys)*len(t.Key))
	for i, key := range keys {
		canonical, err := t.CanonicalKey(key, at+i)
		if err != nil {
			return err
		}
		args = bind(args, canonical)
	}
	found, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("table %q: load: %w", t.Name, tableError(t, -1, err))
	}
	defer found.Close() //nolint:errcheck // found.Err tells
	scan := newScanner(t, 1)
	for found.Next() {
		row, err := scan.row(found)
		if err != nil {
			return err
		}
		rows[scan.values[0].(int64)] = row
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("table %q: load: %w", t.Name, classed(err))
	}
	return nil
}

// Rows implements [checkpoint.Store]. They are those of one moment, however long yield takes.
func (s *Store) Rows(ctx context.Context, t *checkpoint.Table, limit int, yield func(row []any) bool) error {
	query := s.table(t).rows
	if limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", limit)
	}
	found, err := s.reader.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("table %q: rows: %w", t.Name, tableError(t, -1, err))
	}
	defer found.Close() //nolint:errcheck // found.Err tells
	scan := newScanner(t, 0)
	for found.Next() {
		row, err := scan.row(found)
		if err != nil {
			return err
		}
		if !yield(row) {
			return nil
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("table %q: rows: %w", t.Name, classed(err))
	}
	return nil
}

// Count implements [checkpoint.Store].
func (s *Store) Count(ctx context.Context, t *checkpoint.Table) (n int64, err error) {
	if err := s.reader.QueryRowContext(ctx, s.table(t).count).Scan(&n); err != nil {
		return 0, fmt.Errorf("table %q: count: %w", t.Name, tableError(t, -1, err))
	}
	return n, nil
}

// scanner reads rows of a table that come after some other columns.
type scanner struct {
	table    *checkpoint.Table
	values   []any
	pointers []any
}

func newScanner(t *checkpoint.Table, before int) *scanner {
	s := &scanner{table: t, values: make([]any, before+len(t.Columns)), pointers: make([]any, before+len(t.Columns))}
	for i := range s.values {
		s.pointers[i] = &s.values[i]
	}
	return s
}

func (s *scanner) row(rows *sql.Rows) ([]any, error) {
	if err := rows.Scan(s.pointers...); err != nil {
		return nil, classed(err)
	}
	stored := s.values[len(s.values)-len(s.table.Columns):]
	row := make([]any, len(stored))
	for i, v := range stored {
		var err error
		if row[i], err = decode(s.table.Columns[i].Type, v); err != nil {
			return nil, fmt.Errorf("table %q: column %q: %w", s.table.Name, s.table.Columns[i].Name, err)
		}
	}
	return row, nil
}
