package readmodel

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// A key has two forms: the values of its columns, and bytes to look rows up by. Different keys of a table have different
// bytes, since the types of the columns are fixed and everything of variable length says how long it is.

func appendKeyText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendKeyBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendKey appends the bytes of one canonical value.
func appendKey(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendKeyText(b, v)
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case bool:
		return appendKeyBool(b, v)
	case time.Time:
		return binary.BigEndian.AppendUint64(b, uint64(v.UnixMicro()))
	case uuid.UUID:
		return append(b, v[:]...)
	case []byte:
		return appendKeyText(b, string(v))
	}
	panic(fmt.Sprintf("readmodel: %T in a key", v)) // Table.Validate refuses such columns
}

// keyShape says how a Go type is the key of a table.
type keyShape struct {
	fields []field
}

// keyShapeOf reads a key type: a struct of several values, or one value.
func keyShapeOf(t reflect.Type) (*keyShape, error) {
	if t.Kind() == reflect.Struct && !isScalar(t) {
		s, err := shapeOf(t)
		if err != nil {
			return nil, err
		}
		for _, f := range s.fields {
			if f.access.key == nil {
				return nil, fmt.Errorf("%v: column %q of type %v cannot be part of a key", t, f.column.Name, f.column.Type)
			}
		}
		return &keyShape{fields: s.fields}, nil
	}
	a, typ, _, err := accessFor(t, "")
	if err != nil {
		return nil, err
	}
	if a.key == nil {
		return nil, fmt.Errorf("%v cannot be a key", t)
	}
	return &keyShape{fields: []field{{access: a, column: checkpoint.Column{Type: typ}}}}, nil
}

// matches compares the key type with the key columns of a table, and says what differs.
func (s *keyShape) matches(columns []checkpoint.Column) error {
	if len(s.fields) == 1 && len(s.fields[0].index) == 0 && len(columns) == 1 {
		if got, want := s.fields[0].column.Type, columns[0].Type; got != want {
			return fmt.Errorf("the key is %v, but column %q is %v", got, columns[0].Name, want)
		}
		return nil
	}
	var got, want []string
	for _, f := range s.fields {
		got = append(got, f.column.Name+" "+f.column.Type.String())
	}
	for _, c := range columns {
		want = append(want, c.Name+" "+c.Type.String())
	}
	if g, w := strings.Join(got, ", "), strings.Join(want, ", "); g != w {
		return fmt.Errorf("the key is (%s), but the key columns are (%s)", g, w)
	}
	return nil
}
