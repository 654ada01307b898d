package readmodel

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// access moves values between a Go field and a column. Its functions get the field itself.
type access struct {
	get   func(v reflect.Value) any              // the column's value
	set   func(v reflect.Value, x any) error     // from the column's value, never nil unless nullable
	clean func(v reflect.Value) error            // brings the field to the form it has after get and set; nil = always is
	key   func(b []byte, v reflect.Value) []byte // appends what makes the value as part of a key; nil = cannot be one
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	uuidType    = reflect.TypeFor[uuid.UUID]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	bytesType   = reflect.TypeFor[[]byte]()
	marshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func isText(t reflect.Type) bool {
	return t.Implements(marshaler) && reflect.PointerTo(t).Implements(unmarshaler)
}

func isScalar(t reflect.Type) bool { return t == timeType || t == uuidType || isText(t) }

// accessFor says how a Go type is a column; as is "", "json" or "decimal".
func accessFor(t reflect.Type, as string) (a access, typ checkpoint.Type, nullable bool, err error) {
	base := func(b checkpoint.Base) checkpoint.Type { return checkpoint.Type{Base: b} }
	switch {
	case as == "decimal":
		if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.String {
			return pointerAccess(t, decimalAccess()), base(checkpoint.Decimal), true, nil
		}
		if t.Kind() != reflect.String {
			return a, typ, false, fmt.Errorf("%v cannot be a decimal: want a string", t)
		}
		return decimalAccess(), base(checkpoint.Decimal), false, nil
	case t == rawType:
		return rawAccess(), base(checkpoint.JSON), true, nil
	case as == "json":
		return jsonAccess(t), base(checkpoint.JSON), false, nil
	case t == timeType:
		return timeAccess(), base(checkpoint.Time), true, nil
	case t == uuidType:
		return uuidAccess(), base(checkpoint.UUID), false, nil
	case t.Kind() == reflect.Pointer:
		inner, typ, _, err := accessFor(t.Elem(), "")
		return pointerAccess(t, inner), typ, true, err
	case isText(t):
		return textMarshalerAccess(), base(checkpoint.Text), false, nil
	case t == bytesType:
		return bytesAccess(), base(checkpoint.Bytes), false, nil
	}
	switch t.Kind() {
	case reflect.String:
		return stringAccess(), base(checkpoint.Text), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intAccess(), base(checkpoint.Int), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintAccess(), base(checkpoint.Int), false, nil
	case reflect.Float32, reflect.Float64:
		return floatAccess(), base(checkpoint.Float), false, nil
	case reflect.Bool:
		return boolAccess(), base(checkpoint.Bool), false, nil
	case reflect.Struct, reflect.Map:
		return jsonAccess(t), base(checkpoint.JSON), false, nil
	case reflect.Slice:
		inner, typ, nullable, err := accessFor(t.Elem(), "")
		if err != nil || typ.List || typ.Base == checkpoint.JSON || nullable && t.Elem() != timeType {
			return jsonAccess(t), base(checkpoint.JSON), false, nil
		}
		return listAccess(inner), checkpoint.Type{Base: typ.Base, List: true}, false, nil
	}
	return a, typ, false, fmt.Errorf("%v cannot be a column", t)
}

func stringAccess() access {
	return access{
		get:   func(v reflect.Value) any { return v.String() },
		set:   func(v reflect.Value, x any) error { v.SetString(x.(string)); return nil },
		clean: func(v reflect.Value) error { return checkText(v.String()) },
		key:   func(b []byte, v reflect.Value) []byte { return appendKeyText(b, v.String()) },
	}
}

func intAccess() access {
	return access{
		get: func(v reflect.Value) any { return v.Int() },
		set: func(v reflect.Value, x any) error {
			if v.OverflowInt(x.(int64)) {
				return fmt.Errorf("%d does not fit into %v", x, v.Type())
			}
			v.SetInt(x.(int64))
			return nil
		},
		key: func(b []byte, v reflect.Value) []byte { return binary.BigEndian.AppendUint64(b, uint64(v.Int())) },
	}
}

func uintAccess() access {
	a := access{
		get: func(v reflect.Value) any { return int64(v.Uint()) },
		set: func(v reflect.Value, x any) error {
			if n := x.(int64); n < 0 || v.OverflowUint(uint64(n)) {
				return fmt.Errorf("%d does not fit into %v", x, v.Type())
			}
			v.SetUint(uint64(x.(int64)))
			return nil
		},
		key: func(b []byte, v reflect.Value) []byte { return binary.BigEndian.AppendUint64(b, v.Uint()) },
	}
	a.clean = func(v reflect.Value) error {
		if v.Uint() > math.MaxInt64 {
			return errors.New("beyond the range of int (64 bits)")
		}
		return nil
	}
	return a
}

func floatAccess() access {
	return access{
		get: func(v reflect.Value) any { return v.Float() },
		set: func(v reflect.Value, x any) error { v.SetFloat(x.(float64)); return nil },
		clean: func(v reflect.Value) error {
			f := v.Float()
			if f == 0 {
				v.SetFloat(0) // one zero only
			} else if f-f != 0 {
				return errors.New("not a finite number")
			}
			return nil
		},
		key: func(b []byte, v reflect.Value) []byte {
			return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
		},
	}
}

func boolAccess() access {
	return access{
		get: func(v reflect.Value) any { return v.Bool() },
		set: func(v reflect.Value, x any) error { v.SetBool(x.(bool)); return nil },
		key: func(b []byte, v reflect.Value) []byte { return appendKeyBool(b, v.Bool()) },
	}
}

func decimalAccess() access {
	return access{
		get: func(v reflect.Value) any { return v.String() },
		set: func(v reflect.Value, x any) error { v.SetString(x.(string)); return nil },
		clean: func(v reflect.Value) error {
			if v.String() == "" {
				v.SetString("0")
				return nil
			}
			c, err := convertDecimal(v.String())
			if err == nil {
				v.SetString(c.(string))
			}
			return err
		},
		key: func(b []byte, v reflect.Value) []byte { return appendKeyText(b, v.String()) },
	}
}

// timeAccess stores the zero time as NULL.
func timeAccess() access {
	return access{
		get: func(v reflect.Value) any {
			t := *v.Addr().Interface().(*time.Time)
			if t.IsZero() {
				return nil
			}
			return t
		},
		set: func(v reflect.Value, x any) error {
			*v.Addr().Interface().(*time.Time) = x.(time.Time)
			return nil
		},
		clean: func(v reflect.Value) error {
			p := v.Addr().Interface().(*time.Time)
			t, err := checkTime(*p)
			*p = t
			return err
		},
		key: func(b []byte, v reflect.Value) []byte {
			return binary.BigEndian.AppendUint64(b, uint64(v.Addr().Interface().(*time.Time).UnixMicro()))
		},
	}
}

func uuidAccess() access {
	at := func(v reflect.Value) *uuid.UUID { return v.Addr().Interface().(*uuid.UUID) }
	return access{
		get: func(v reflect.Value) any { return *at(v) },
		set: func(v reflect.Value, x any) error { *at(v) = x.(uuid.UUID); return nil },
		key: func(b []byte, v reflect.Value) []byte { return append(b, at(v)[:]...) },
	}
}

func textMarshalerAccess() access {
	get := func(v reflect.Value) (string, error) {
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		return string(b), err
	}
	set := func(v reflect.Value, s string) error {
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	}
	return access{
		get: func(v reflect.Value) any { s, _ := get(v); return s }, // clean has looked at the error
		set: func(v reflect.Value, x any) error { return set(v, x.(string)) },
		clean: func(v reflect.Value) error {
			s, err := get(v)
			if err == nil {
				err = checkText(s)
			}
			if err == nil {
				v.SetZero()
				err = set(v, s)
			}
			return err
		},
		key: func(b []byte, v reflect.Value) []byte {
			s, _ := get(v)
			return appendKeyText(b, s)
		},
	}
}

func bytesAccess() access {
	return access{
		get: func(v reflect.Value) any { return append([]byte{}, v.Bytes()...) },
		set: func(v reflect.Value, x any) error { return setBytes(v, x.([]byte)) },
		clean: func(v reflect.Value) error {
			if v.Len() == 0 {
				v.SetZero()
				return nil
			}
			v.SetCap(v.Len()) // as for lists
			return nil
		},
	}
}

func setBytes(v reflect.Value, b []byte) error {
	v.SetBytes(slices.Clone(b))
	if len(b) == 0 {
		v.SetZero()
	}
	return nil
}
