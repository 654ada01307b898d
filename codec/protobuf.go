package codec

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
)

// Protobuf is the binary form of protocol buffers. It takes generated messages and pointers to them; a nil pointer to decode
// into is allocated.
func Protobuf() Codec { return protobufCodec{} }

type protobufCodec struct{}

func (protobufCodec) Name() string { return "protobuf" }
func (protobufCodec) JSON() bool   { return false }

func (protobufCodec) Encode(dst []byte, v any) ([]byte, error) {
	m, ok := message(v)
	if !ok {
		return dst, fmt.Errorf("protobuf: encode %T: want a generated message", v)
	}
	out, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	if err != nil {
		return dst, fmt.Errorf("protobuf: encode %T: %w", v, err)
	}
	return out, nil
}

func (protobufCodec) Decode(data []byte, v any) error {
	m, ok := message(v)
	if !ok {
		return fmt.Errorf("protobuf: decode into %T: want a generated message", v)
	}
	return proto.Unmarshal(data, m)
}

// message finds the message in v, a message or a pointer to one. A message that is not there is made.
func message(v any) (proto.Message, bool) {
	if m, ok := v.(proto.Message); ok {
		return m, !reflect.ValueOf(v).IsNil()
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Type().Elem().Kind() != reflect.Pointer {
		return nil, false
	}
	if !rv.Type().Elem().Implements(reflect.TypeFor[proto.Message]()) {
		return nil, false
	}
	if rv.Elem().IsNil() {
		rv.Elem().Set(reflect.New(rv.Type().Elem().Elem()))
	}
	m, ok := rv.Elem().Interface().(proto.Message)
	return m, ok
}
