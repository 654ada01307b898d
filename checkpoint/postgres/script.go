package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// script is a list of statements that go to the server in one round trip and, unless a transaction is open, form one:
// all of them happen or none. Values are binary, with their types, so nothing has to be asked beforehand.
type script struct {
	statements []statement
}

type statement struct {
	sql    string
	values [][]byte
	oids   []uint32
}

// add appends a statement. Parameters are string, int64, time.Time, uuid.UUID, []byte, nil or encoded. A statement has
// the same types each time.
func (b *script) add(sql string, params ...any) {
	st := statement{sql, make([][]byte, len(params)), make([]uint32, len(params))}
	for i, p := range params {
		st.values[i], st.oids[i] = param(p)
	}
	b.statements = append(b.statements, st)
}

// encoded is a parameter that is encoded already, an array or a value; nil bytes are NULL.
type encoded struct {
	oid   uint32
	bytes []byte
}

func param(v any) (value []byte, oid uint32) {
	switch v := v.(type) {
	case nil:
		return nil, pgtype.TextOID
	case string:
		return append([]byte{}, v...), pgtype.TextOID // not nil, which would be NULL
	case int64:
		return binary.BigEndian.AppendUint64(nil, uint64(v)), pgtype.Int8OID
	case time.Time:
		return appendTime(nil, v), pgtype.TimestamptzOID
	case uuid.UUID:
		return v[:], pgtype.UUIDOID
	case []byte:
		return v, pgtype.ByteaOID
	case encoded:
		return v.bytes, v.oid
	}
	panic(fmt.Sprintf("parameter of type %T", v))
}

// run sends the script and returns the rows of each statement. After an error, failed is the index of the statement
// that failed, or the number of statements if the transaction failed at its end or the connection broke.
func (b *script) run(ctx context.Context, conn *pgconn.PgConn) (results [][][][]byte, failed int, err error) {
	session := sessionOf(conn)
	var batch pgconn.Batch
	binary := []int16{pgtype.BinaryFormatCode}
	for _, st := range b.statements {
		if named := session.statement(ctx, conn, st); named != nil {
			batch.ExecStatement(named, st.values, binary, binary)
		} else {
			batch.ExecParams(st.sql, st.values, st.oids, binary, binary)
		}
	}
	reader := conn.ExecBatch(ctx, &batch)
	for reader.NextResult() {
		result := reader.ResultReader().Read()
		if result.Err != nil {
			break
		}
		results = append(results, result.Rows)
	}
	failed = len(results)
	if err := reader.Close(); err != nil {
		if !isServer(err) {
			failed = len(b.statements)
		}
		return results, failed, session.failed(classed(err))
	}
	return results, failed, nil
}
