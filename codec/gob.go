package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
)

// Gob is encoding/gob. Every body carries the description of its type, so that it can be read alone.
func Gob() Codec { return gobCodec{} }

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }
func (gobCodec) JSON() bool   { return false }

func (gobCodec) Encode(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := gob.NewEncoder(buf).Encode(v); err != nil {
		return dst, fmt.Errorf("gob: encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

func (gobCodec) Decode(data []byte, v any) error {
	r := bytes.NewReader(data)
	if err := gob.NewDecoder(r).Decode(v); err != nil {
		return err
	}
	if r.Len() > 0 {
		return errors.New("gob: more data behind the value")
	}
	return nil
}
