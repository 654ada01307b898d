package postgres

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// decodeRow reads the columns of a table as selected by [tableSQL].
func decodeRow(t *checkpoint.Table, values [][]byte) ([]any, error) {
	row := make([]any, len(t.Columns))
	for i := range t.Columns {
		if values[i] == nil {
			continue
		}
		v, err := decodeColumn(t.Columns[i].Type, values[i])
		if err != nil {
			return nil, fmt.Errorf("table %q: column %q: %w", t.Name, t.Columns[i].Name, err)
		}
		row[i] = v
	}
	return row, nil
}

func decodeColumn(t checkpoint.Type, b []byte) (any, error) {
	if t.List {
		return decodeArray(t.Base, b)
	}
	return decodeValue(t.Base, b)
}

func decodeValue(base checkpoint.Base, b []byte) (any, error) {
	switch base {
	case checkpoint.Text, checkpoint.Decimal:
		return string(b), nil
	case checkpoint.Bytes:
		return append([]byte{}, b...), nil
	case checkpoint.JSON:
		if len(b) > 0 && b[0] == 1 {
			return append(json.RawMessage{}, b[1:]...), nil
		}
	case checkpoint.Int:
		if len(b) == 8 {
			return int64(binary.BigEndian.Uint64(b)), nil
		}
	case checkpoint.Float:
		if len(b) == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
		}
	case checkpoint.Bool:
		if len(b) == 1 {
			return b[0] != 0, nil
		}
	case checkpoint.Time:
		if len(b) == 8 {
			return decodeTime(b), nil
		}
	case checkpoint.UUID:
		if id, err := uuid.FromBytes(b); err == nil {
			return id, nil
		}
	}
	return nil, fmt.Errorf("%d bytes from the server are no %v", len(b), base)
}

func decodeTime(b []byte) time.Time {
	return time.UnixMicro(decodeInt(b) + epoch2000).UTC()
}

// decodeUUID reads an id, uuid.Nil for null.
func decodeUUID(b []byte) (id uuid.UUID) {
	copy(id[:], b)
	return id
}

func decodeBool(b []byte) bool { return len(b) == 1 && b[0] != 0 }

func decodeInt(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// decodeArray reads a binary array of one dimension.
func decodeArray(base checkpoint.Base, b []byte) (any, error) {
	list := []any{}
	if len(b) < 12 {
		return nil, fmt.Errorf("array of %d bytes", len(b))
	}
	switch dimensions := binary.BigEndian.Uint32(b); {
	case dimensions == 0:
		return list, nil
	case dimensions > 1 || len(b) < arrayHeader:
		return nil, fmt.Errorf("array has %d dimensions", dimensions)
	}
	n := binary.BigEndian.Uint32(b[12:])
	b = b[arrayHeader:]
	for range n {
		if len(b) < 4 {
			return nil, fmt.Errorf("array ends after %d of %d elements", len(list), n)
		}
		size := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if size < 0 || int(size) > len(b) {
			return nil, fmt.Errorf("element %d of an array is null or cut off", len(list))
		}
		v, err := decodeValue(base, b[:size])
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		b = b[size:]
	}
	return list, nil
}
