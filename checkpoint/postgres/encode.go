package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/photonpump/projector/checkpoint"
)

// epoch2000 is where Postgres counts time from, in microseconds.
const epoch2000 = 946684800_000000

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()-epoch2000))
}

// columnArray collects the values of one column as a binary array.
type columnArray struct {
	column  *checkpoint.Column
	element uint32
	n       int
	nulls   bool
	bytes   []byte // header and elements
}

const arrayHeader = 20

func newColumnArray(c *checkpoint.Column, rows int) *columnArray {
	return &columnArray{column: c, element: elementOID(c.Type), bytes: make([]byte, arrayHeader, arrayHeader+12*rows)}
}

// elementOID is the type in which the values of a column are sent. Decimals are sent as text, which is exact; lists as
// the text of an array, since unnest would take arrays of arrays apart.
func elementOID(t checkpoint.Type) uint32 {
	if t.List {
		return pgtype.TextOID
	}
	switch t.Base {
	case checkpoint.Int:
		return pgtype.Int8OID
	case checkpoint.Float:
		return pgtype.Float8OID
	case checkpoint.Bool:
		return pgtype.BoolOID
	case checkpoint.Time:
		return pgtype.TimestamptzOID
	case checkpoint.UUID:
		return pgtype.UUIDOID
	case checkpoint.Bytes:
		return pgtype.ByteaOID
	case checkpoint.JSON:
		return pgtype.JSONBOID
	}
	return pgtype.TextOID
}

func arrayOID(element uint32) uint32 {
	switch element {
	case pgtype.Int8OID:
		return pgtype.Int8ArrayOID
	case pgtype.Float8OID:
		return pgtype.Float8ArrayOID
	case pgtype.BoolOID:
		return pgtype.BoolArrayOID
	case pgtype.TimestamptzOID:
		return pgtype.TimestamptzArrayOID
	case pgtype.UUIDOID:
		return pgtype.UUIDArrayOID
	case pgtype.ByteaOID:
		return pgtype.ByteaArrayOID
	case pgtype.JSONBOID:
		return pgtype.JSONBArrayOID
	}
	return pgtype.TextArrayOID
}

// append adds a canonical value.
func (a *columnArray) append(v any) {
	a.n++
	if v == nil {
		a.nulls = true
		a.bytes = binary.BigEndian.AppendUint32(a.bytes, math.MaxUint32)
		return
	}
	start := len(a.bytes)
	a.bytes = append(a.bytes, 0, 0, 0, 0)
	a.bytes = appendElement(a.bytes, v)
	binary.BigEndian.PutUint32(a.bytes[start:], uint32(len(a.bytes)-start-4))
}

// param finishes the array.
func (a *columnArray) param() encoded {
	be := binary.BigEndian
	be.PutUint32(a.bytes, 1) // dimensions
	if a.nulls {
		be.PutUint32(a.bytes[4:], 1)
	}
	be.PutUint32(a.bytes[8:], a.element)
	be.PutUint32(a.bytes[12:], uint32(a.n))
	be.PutUint32(a.bytes[16:], 1) // lower bound
	return encoded{arrayOID(a.element), a.bytes}
}

// appendElement appends a value in the type of [elementOID].
func appendElement(b []byte, v any) []byte {
	if list, ok := v.([]any); ok {
		return appendList(b, list)
	}
	return appendValue(b, v)
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(b, v...)
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case time.Time:
		return appendTime(b, v)
	case uuid.UUID:
		return append(b, v[:]...)
	case []byte:
		return append(b, v...)
	case json.RawMessage:
		return append(append(b, 1), v...) // version of the binary form of jsonb
	}
	return b
}

// appendList appends the text form of an array.
func appendList(b []byte, list []any) []byte {
	b = append(b, '{')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = appendQuoted(b, elementText(v))
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendQuoted(b []byte, text string) []byte {
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return b
}

func elementText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.Format("2006-01-02T15:04:05.999999Z07:00")
	case uuid.UUID:
		return v.String()
	case []byte:
		return `\x` + hex.EncodeToString(v)
	case json.RawMessage:
		return string(v)
	}
	return ""
}
