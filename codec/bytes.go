package codec

import (
	"bytes"
	"reflect"
)

// indirect returns what v points to, or v itself.
func indirect(v any) reflect.Value {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && !rv.IsNil() {
		return rv.Elem()
	}
	return rv
}

// bytesOf returns the bytes in v, if it is made of bytes.
func bytesOf(v any) ([]byte, bool) {
	if b, ok := v.([]byte); ok {
		return b, true
	}
	rv := indirect(v)
	if rv.Kind() != reflect.Slice || rv.Type().Elem().Kind() != reflect.Uint8 {
		return nil, false
	}
	return rv.Bytes(), true
}

// setBytes stores a copy of data where v points, if that is made of bytes.
func setBytes(v any, data []byte) bool {
	if b, ok := v.(*[]byte); ok && b != nil {
		*b = bytes.Clone(data)
		return true
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return false
	}
	if e := rv.Elem(); e.Kind() == reflect.Slice && e.Type().Elem().Kind() == reflect.Uint8 {
		e.SetBytes(bytes.Clone(data))
		return true
	}
	return false
}
