package codec

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("text: not valid UTF-8")

// Text passes UTF-8 text through unchanged. It takes strings, types made of them, and whatever implements
// [encoding.TextMarshaler] or [encoding.TextUnmarshaler].
func Text() Codec { return textCodec{} }

type textCodec struct{}

func (textCodec) Name() string { return "text" }
func (textCodec) JSON() bool   { return false }

func (textCodec) Encode(dst []byte, v any) ([]byte, error) {
	text, err := textOf(v)
	if err != nil {
		return dst, err
	}
	if !utf8.ValidString(text) {
		return dst, errNotUTF8
	}
	return append(dst, text...), nil
}

func textOf(v any) (string, error) {
	if m, ok := v.(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		return string(b), err
	}
	if rv := indirect(v); rv.Kind() == reflect.String {
		return rv.String(), nil
	}
	return "", fmt.Errorf("text: encode %T: want a string or an encoding.TextMarshaler", v)
}

func (textCodec) Decode(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	if u, ok := v.(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText(data)
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.String {
		return fmt.Errorf("text: decode into %T: want a *string or an encoding.TextUnmarshaler", v)
	}
	rv.Elem().SetString(string(data))
	return nil
}
