package codec

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// MessagePack is msgpack. Names of fields are those of the struct tag "msgpack".
func MessagePack() Codec { return msgpackCodec{} }

type msgpackCodec struct{}

func (msgpackCodec) Name() string { return "msgpack" }
func (msgpackCodec) JSON() bool   { return false }

func (msgpackCodec) Encode(dst []byte, v any) ([]byte, error) {
	data, err := msgpack.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("msgpack: encode %T: %w", v, err)
	}
	return append(dst, data...), nil
}

func (msgpackCodec) Decode(data []byte, v any) error {
	r := bytes.NewReader(data)
	if err := msgpack.NewDecoder(r).Decode(v); err != nil {
		return err
	}
	if r.Len() > 0 {
		return errors.New("msgpack: more data behind the value")
	}
	return nil
}
