package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	fast "github.com/go-json-experiment/json/v1"
)

// JSON is encoding/json with exact numbers: where the target is an any, alone or anywhere inside v, a number becomes a
// [json.Number] and not a float64 that has lost digits. Data must be one JSON value. Encode does not escape HTML.
//
// Decode uses the faster decoder of the makers of encoding/json, under the rules of encoding/json, where the two agree;
// what that one refuses, encoding/json decides about.
func JSON() Codec { return &jsonCodec{} }

type jsonCodec struct {
	shapes sync.Map // reflect.Type -> shape; a pure function of the type
}

// shape says which decoder is right for a type.
type shape uint8

const (
	plain   shape = iota // both decoders agree
	numbers              // has a json.Number, which only encoding/json checks
	untyped              // has an any, which must not become a float64
)

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
	switch c.shape(reflect.TypeOf(v)) {
	case plain:
		if fast.Unmarshal(data, v) == nil {
			return nil
		}
		return json.Unmarshal(data, v)
	case numbers:
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

func (c *jsonCodec) shape(t reflect.Type) shape {
	if t == nil {
		return numbers
	}
	if known, ok := c.shapes.Load(t); ok {
		return known.(shape)
	}
	found := shapeOf(t, map[reflect.Type]bool{})
	c.shapes.Store(t, found)
	return found
}

// shapeOf looks into a type. Decoders made by the user see the same bytes either way, so only what encoding/json itself
// fills matters.
func shapeOf(t reflect.Type, seen map[reflect.Type]bool) shape {
	if seen[t] {
		return plain
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return untyped
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return shapeOf(t.Elem(), seen)
	case reflect.Map:
		return max(shapeOf(t.Key(), seen), shapeOf(t.Elem(), seen))
	case reflect.Struct:
		found := plain
		for i := range t.NumField() {
			found = max(found, shapeOf(t.Field(i).Type, seen))
		}
		return found
	}
	if t == reflect.TypeFor[json.Number]() {
		return numbers
	}
	return plain
}
