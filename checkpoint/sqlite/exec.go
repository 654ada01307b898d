package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

var _ checkpoint.SQLTx = (*tx)(nil)

// Dialect implements [checkpoint.SQLTx].
func (*tx) Dialect() string { return "sqlite" }

// Exec implements [checkpoint.SQLTx]. Values are stored as those of columns are.
func (t *tx) Exec(ctx context.Context, statement string, values ...checkpoint.SQLValue) (changed int64, err error) {
	args, err := sqlArgs(values)
	if err != nil {
		return 0, err
	}
	if t.sql == nil {
		return 0, checkpoint.ErrTxDone
	}
	stmt, err := t.lease.store.writer.stmt(statement) //nolint:sqlclosecheck // it lives as long as the connection
	if err != nil {
		return 0, classed(err)
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, classed(err)
	}
	return result.RowsAffected()
}

// sqlArgs returns values as the driver takes them.
func sqlArgs(values []checkpoint.SQLValue) ([]any, error) {
	args := make([]any, 0, len(values))
	for i, v := range values {
		canonical, err := v.Canonical()
		if err != nil {
			return nil, fmt.Errorf("value %d: %w", i+1, err)
		}
		args = bind(args, []any{canonical})
	}
	return args, nil
}

// ExecTraced implements [checkpoint.SQLTx]. The program that SQLite makes of the statement names what it opens.
func (t *tx) ExecTraced(ctx context.Context, statement string, values ...checkpoint.SQLValue) (trace checkpoint.SQLTrace, err error) {
	if t.sql == nil {
		return trace, checkpoint.ErrTxDone
	}
	tables, err := t.tables(ctx)
	if err != nil {
		return trace, classed(err)
	}
	used, err := t.opened(ctx, statement, len(values))
	if err != nil {
		return trace, classed(err)
	}
	written := map[string]bool{}
	for root, writes := range used {
		if name, known := tables[root]; known {
			written[name] = written[name] || writes
		}
	}
	for name, writes := range written {
		if writes {
			trace.Writes = append(trace.Writes, name)
		} else {
			trace.Reads = append(trace.Reads, name)
		}
	}
	_, err = t.Exec(ctx, statement, values...)
	return trace, err
}

// tables returns the tables by the roots of their trees and of those of their indexes.
func (t *tx) tables(ctx context.Context) (map[int64]string, error) {
	rows, err := t.sql.QueryContext(ctx, "SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	tables := map[int64]string{}
	for rows.Next() {
		var root int64
		var name string
		if err := rows.Scan(&root, &name); err != nil {
			return nil, err
		}
		tables[root] = name
	}
	return tables, rows.Err()
}

// opened returns the roots of the trees that a statement opens, and whether to write.
func (t *tx) opened(ctx context.Context, statement string, values int) (map[int64]bool, error) {
	rows, err := t.sql.QueryContext(ctx, "EXPLAIN "+statement, make([]any, values)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	opened := map[int64]bool{}
	for rows.Next() {
		var address, p1, p2, p3, p5 int64
		var opcode string
		var p4, comment any
		if err := rows.Scan(&address, &opcode, &p1, &p2, &p3, &p4, &p5, &comment); err != nil {
			return nil, err
		}
		switch {
		case opcode == "Clear" && p2 == 0: // DELETE without WHERE
			opened[p1] = true
		case strings.HasPrefix(opcode, "Open") && p3 == 0:
			opened[p2] = opened[p2] || opcode == "OpenWrite"
		}
	}
	return opened, rows.Err()
}
