package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/photonpump/projector/checkpoint"
)

var _ checkpoint.SQLTx = (*tx)(nil)

// Dialect implements [checkpoint.SQLTx].
func (*tx) Dialect() string { return "postgres" }

// Exec implements [checkpoint.SQLTx]. Values go as text, which is exact, with their types where those are known; of
// others the server finds the type.
func (t *tx) Exec(ctx context.Context, statement string, values ...checkpoint.SQLValue) (changed int64, err error) {
	texts, oids, err := sqlParams(values)
	if err != nil {
		return 0, err
	}
	if t.conn == nil {
		return 0, checkpoint.ErrTxDone
	}
	if err := t.search(ctx); err != nil {
		return 0, err
	}
	tag, err := t.conn.Conn().PgConn().ExecParams(ctx, statement, texts, oids, nil, nil).Close()
	if err != nil {
		return 0, classed(err)
	}
	return tag.RowsAffected(), nil
}

// search has names without a schema be those of the store's tables, and then what extensions have put where they do by
// default.
func (t *tx) search(ctx context.Context) error {
	if t.searching {
		return nil
	}
	_, err := t.conn.Conn().PgConn().Exec(ctx, "SET LOCAL search_path = "+quote(t.lease.store.schema)+", public").ReadAll()
	t.searching = err == nil
	return classed(err)
}

func sqlParams(values []checkpoint.SQLValue) (texts [][]byte, oids []uint32, err error) {
	texts, oids = make([][]byte, len(values)), make([]uint32, len(values))
	for i, v := range values {
		canonical, err := v.Canonical()
		if err != nil {
			return nil, nil, fmt.Errorf("value %d: %w", i+1, err)
		}
		switch {
		case v.Type.List:
			if oids[i] = arrayOID(textOID(v.Type.Base)); v.Type.Base == checkpoint.Decimal {
				oids[i] = pgtype.NumericArrayOID
			}
		case v.Type.Base != 0:
			oids[i] = textOID(v.Type.Base)
		}
		switch list, isList := canonical.([]any); {
		case canonical == nil:
		case isList:
			texts[i] = appendList(nil, list)
		default:
			texts[i] = append([]byte{}, elementText(canonical)...) // not nil, which would be NULL
		}
	}
	return texts, oids, nil
}

// textOID is the type of a value that is sent as text.
func textOID(base checkpoint.Base) uint32 {
	if base == checkpoint.Decimal {
		return pgtype.NumericOID
	}
	return elementOID(checkpoint.Type{Base: base})
}

// ExecTraced implements [checkpoint.SQLTx]. What a statement uses, the transaction has locked.
func (t *tx) ExecTraced(ctx context.Context, statement string, values ...checkpoint.SQLValue) (trace checkpoint.SQLTrace, err error) {
	before, err := t.locked(ctx)
	if err != nil {
		return trace, err
	}
	if _, err := t.Exec(ctx, statement, values...); err != nil {
		return trace, err
	}
	after, err := t.locked(ctx)
	for name, writes := range after {
		was, known := before[name]
		switch {
		case writes && !was:
			trace.Writes = append(trace.Writes, name)
		case !known:
			trace.Reads = append(trace.Reads, name)
		}
	}
	return trace, err
}

// locked returns the tables that the transaction has locked, and whether to write.
func (t *tx) locked(ctx context.Context) (map[string]bool, error) {
	if t.conn == nil {
		return nil, checkpoint.ErrTxDone
	}
	sql := `SELECT CASE WHEN n.nspname = $1 THEN '' ELSE n.nspname || '.' END || c.relname, max((l.mode NOT IN ('AccessShareLock', 'RowShareLock'))::int)
		FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
			AND n.nspname <> 'pg_catalog'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1`
	result := t.conn.Conn().PgConn().ExecParams(ctx, sql, [][]byte{[]byte(t.lease.store.schema)}, []uint32{pgtype.TextOID}, nil, nil).Read()
	if result.Err != nil {
		return nil, classed(result.Err)
	}
	locked := map[string]bool{}
	for _, row := range result.Rows {
		locked[string(row[0])] = string(row[1]) == "1"
	}
	return locked, nil
}
