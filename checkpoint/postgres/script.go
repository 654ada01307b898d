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
// all of them happen or none. Statements have no names and values are binary, so nothing is kept in the session and
// nothing has to be asked beforehand.
type script struct {
	batch pgconn.Batch
	n     int
}

// add appends a statement. Parameters are string, int64, time.Time, uuid.UUID, []byte, nil or encoded.
func (b *script) add(sql string, params ...any) {
	values, oids := make([][]byte, len(params)), make([]uint32, len(params))
	for i, p := range params {
		values[i], oids[i] = param(p)
	}
	b.batch.ExecParams(sql, values, oids, []int16{pgtype.BinaryFormatCode}, []int16{pgtype.BinaryFormatCode})
	b.n++
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
	reader := conn.ExecBatch(ctx, &b.batch)
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
			failed = b.n
		}
		return results, failed, classed(err)
	}
	return results, failed, nil
}
