package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
)

// JSON is encoding/json with exact numbers: where the target is an any, alone or anywhere inside v, a number becomes a
// [json.Number] and not a float64 that has lost digits. Data must be one JSON value. Encode does not escape HTML.
func JSON() Codec { return &jsonCodec{} }

type jsonCodec struct {
	untyped sync.Map // reflect.Type -> bool: has an any somewhere inside; a pure function of the type
}

func (*jsonCodec) Name() string { return "json" }
func (*jsonCodec) JSON() bool   { return true }

func (*jsonCodec) Encode(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, fmt.Errorf("json: encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (c *jsonCodec) Decode(data []byte, v any) error {
	if !c.isUntyped(reflect.TypeOf(v)) {
		return json.Unmarshal(data, v)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("json: no data")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("json: more data behind the value, at byte %d", dec.InputOffset())
	}
	return nil
}

// isUntyped reports whether a value of type t can hold a number in an any. Decoders made by the user see the same bytes
// either way, so only what encoding/json itself fills matters.
func (c *jsonCodec) isUntyped(t reflect.Type) bool {
	if t == nil {
		return false
	}
	if known, ok := c.untyped.Load(t); ok {
		return known.(bool)
	}
	found := hasAny(t, map[reflect.Type]bool{})
	c.untyped.Store(t, found)
	return found
}

func hasAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasAny(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if hasAny(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
