package codec

import (
	"encoding"
	"fmt"
	"reflect"
)

// Binary takes whatever implements [encoding.BinaryMarshaler] or [encoding.BinaryUnmarshaler]. Those must copy what they
// keep, as their documentation demands.
func Binary() Codec { return binaryCodec{} }

type binaryCodec struct{}

func (binaryCodec) Name() string { return "binary" }
func (binaryCodec) JSON() bool   { return false }

func (binaryCodec) Encode(dst []byte, v any) ([]byte, error) {
	m, ok := v.(encoding.BinaryMarshaler)
	if !ok {
		return dst, fmt.Errorf("binary: encode %T: want an encoding.BinaryMarshaler", v)
	}
	data, err := m.MarshalBinary()
	if err != nil {
		return dst, fmt.Errorf("binary: encode %T: %w", v, err)
	}
	return append(dst, data...), nil
}

func (binaryCodec) Decode(data []byte, v any) error {
	if u, ok := v.(encoding.BinaryUnmarshaler); ok {
		return u.UnmarshalBinary(data)
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && !rv.IsNil() && rv.Elem().Kind() == reflect.Pointer {
		fresh := reflect.New(rv.Type().Elem().Elem())
		if u, ok := fresh.Interface().(encoding.BinaryUnmarshaler); ok {
			rv.Elem().Set(fresh)
			return u.UnmarshalBinary(data)
		}
	}
	return fmt.Errorf("binary: decode into %T: want an encoding.BinaryUnmarshaler", v)
}
