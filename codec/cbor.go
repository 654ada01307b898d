package codec

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// CBOR is RFC 8949, with the limits of depth and size of github.com/fxamacker/cbor.
func CBOR() Codec { return cborCodec{} }

type cborCodec struct{}

func (cborCodec) Name() string { return "cbor" }
func (cborCodec) JSON() bool   { return false }

func (cborCodec) Encode(dst []byte, v any) ([]byte, error) {
	data, err := cbor.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("cbor: encode %T: %w", v, err)
	}
	return append(dst, data...), nil
}

func (cborCodec) Decode(data []byte, v any) error { return cbor.Unmarshal(data, v) }
