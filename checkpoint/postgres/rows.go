package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// List implements [checkpoint.Store].
func (s *Store) List(ctx context.Context) ([]checkpoint.Status, error) {
	rows, err := s.exec(ctx, s.sql.list)
	if err != nil {
		return nil, fmt.Errorf("list projections: %w", s.explain(err))
	}
	all, err := decodeRows(rows)
	if err != nil {
		return nil, fmt.Errorf("list projections: %w", err)
	}
	return division.List(all), nil
}

func decodeRows(rows [][][]byte) (all []division.Row, err error) {
	all = make([]division.Row, len(rows))
	for i, row := range rows {
		if all[i], err = decodeDivided(row); err != nil {
			return nil, fmt.Errorf("%q: %w", row[0], err)
		}
	}
	return all, nil
}

func decodeDivided(row [][]byte) (r division.Row, err error) {
	r.Status, err = decodeStatus(row)
	r.Base, r.Shards, r.Fresh = string(row[16]), int(decodeInt(row[17])), decodeBool(row[18])
	return r, err
}

func decodeStatus(row [][]byte) (checkpoint.Status, error) {
	st := checkpoint.Status{
		Name: string(row[0]), Epoch: decodeInt(row[1]), Owner: string(row[2]), Held: decodeBool(row[4]),
		Fingerprint: string(row[8]), Handled: decodeInt(row[9]), Ignored: decodeInt(row[10]),
		State: string(row[11]), Reason: string(row[12]), Updated: decodeTime(row[13]), Skipped: decodeInt(row[14]), Parked: decodeInt(row[15]),
	}
	if row[3] != nil {
		st.Expires = decodeTime(row[3])
	}
	var errs [2]error
	st.Position, errs[0] = parsePosition(row[5])
	st.LastEvent, errs[1] = decodeEventRef(row[6], row[7])
	return st, errors.Join(errs[:]...)
}

// Reset implements [checkpoint.Store].
func (s *Store) Reset(ctx context.Context, name string, tables ...*checkpoint.Table) error {
	if _, _, _, isShard := checkpoint.ParseShardName(name); isShard {
		return fmt.Errorf("reset %q: %w", name, checkpoint.ErrUnknownProjection)
	}
	for {
		done, err := s.tryReset(ctx, name, tables)
		if err == nil && !done {
			err = s.checkFree(ctx, name) // says who holds it; if nobody does any more, try again
		}
		if err != nil {
			return fmt.Errorf("reset %q: %w", name, err)
		}
		if done {
			return nil
		}
	}
}

// tryReset reports whether nobody held the projection, and it was reset.
func (s *Store) tryReset(ctx context.Context, name string, tables []*checkpoint.Table) (done bool, err error) {
	var b script
	empty, err := s.emptying(ctx, tables)
	if err != nil {
		return false, err
	}
	for _, e := range empty {
		b.add(e.sql)
	}
	b.add(s.sql.lockBase, name)
	b.add(s.sql.lockAll, name)
	b.add(s.sql.noneHeld, name)
	b.add(s.sql.clearParked, name)
	b.add(s.sql.clearHandled, name)
	b.add("WITH done AS ("+s.sql.reset+") SELECT 1 / count(*) FROM done", name)
	b.add(s.sql.deleteShards, name)
	err = s.with(ctx, func(conn *pgxpool.Conn) error {
		_, failed, err := b.run(ctx, conn.Conn().PgConn())
		switch {
		case err == nil:
			done = true
			return nil
		case failed < len(empty):
			return tableError(empty[failed].table, err)
		case failed < len(b.statements) && isState(err, "22012"):
			return s.mustExist(ctx, name)
		}
		return s.explain(err)
	})
	return done, err
}

// tableStatement is a statement about one table.
type tableStatement struct {
	table *checkpoint.Table
	sql   string
}

// emptying returns the statements that empty the tables, or make those anew that are not as defined.
func (s *Store) emptying(ctx context.Context, tables []*checkpoint.Table) (statements []tableStatement, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		statements = nil
		for _, t := range tables {
			live, err := s.liveShape(ctx, tx, t.Name)
			diff := drift.Compare(t, live, typeName)
			switch {
			case err != nil:
				return err
			case live != nil && !diff.Empty():
				if err := checkTable(t); err != nil {
					return err
				}
				views, err := s.dropViewsOf(ctx, tx, t.Name)
				if err != nil {
					return err
				}
				if views != "" {
					statements = append(statements, tableStatement{t, views})
				}
				statements = append(statements, tableStatement{t, "DROP TABLE " + quote(s.schema) + "." + quote(t.Name)})
				for _, sql := range tableStatements(s.schema, t) {
					statements = append(statements, tableStatement{t, sql})
				}
			default:
				statements = append(statements, tableStatement{t, s.table(t).truncate})
			}
		}
		return nil
	})
	return statements, err
}

// Rows implements [checkpoint.Store]. Rows are read as yield takes them.
func (s *Store) Rows(ctx context.Context, table *checkpoint.Table, limit int, yield func(row []any) bool) error {
	sql := s.table(table).rows
	if limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", limit)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.with(ctx, func(conn *pgxpool.Conn) error {
		reader := conn.Conn().PgConn().ExecParams(ctx, sql, nil, nil, nil, []int16{pgtype.BinaryFormatCode})
		for reader.NextRow() {
			row, err := decodeRow(table, reader.Values())
			if err == nil && yield(row) {
				continue
			}
			cancel() // rather lose the connection than read the rest
			_, _ = reader.Close()
			return err
		}
		if _, err := reader.Close(); err != nil {
			return fmt.Errorf("table %q: rows: %w", table.Name, tableError(table, classed(err)))
		}
		return nil
	})
}

// Count implements [checkpoint.Store].
func (s *Store) Count(ctx context.Context, table *checkpoint.Table) (int64, error) {
	rows, err := s.exec(ctx, s.table(table).count)
	if err != nil {
		return 0, fmt.Errorf("table %q: count: %w", table.Name, tableError(table, err))
	}
	return decodeInt(rows[0][0]), nil
}
