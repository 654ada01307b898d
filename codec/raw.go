package codec

import "fmt"

// Raw passes bytes through unchanged. It takes []byte and types made of it, and copies.
func Raw() Codec { return rawCodec{} }

type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }
func (rawCodec) JSON() bool   { return false }

func (rawCodec) Encode(dst []byte, v any) ([]byte, error) {
	b, ok := bytesOf(v)
	if !ok {
		return dst, fmt.Errorf("raw: encode %T: want []byte", v)
	}
	return append(dst, b...), nil
}

func (rawCodec) Decode(data []byte, v any) error {
	if !setBytes(v, data) {
		return fmt.Errorf("raw: decode into %T: want *[]byte", v)
	}
	return nil
}
