package codec

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// XML is encoding/xml. Data must be one element, with nothing but white space and comments behind it.
func XML() Codec { return xmlCodec{} }

type xmlCodec struct{}

func (xmlCodec) Name() string { return "xml" }
func (xmlCodec) JSON() bool   { return false }

func (xmlCodec) Encode(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := xml.NewEncoder(buf).Encode(v); err != nil {
		return dst, fmt.Errorf("xml: encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

func (xmlCodec) Decode(data []byte, v any) error {
	dec := xml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("xml: no element")
		}
		return err
	}
	for {
		token, err := dec.Token()
		switch token := token.(type) {
		case nil:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return errors.New("xml: text behind the element")
			}
		default:
			return errors.New("xml: more data behind the element")
		}
	}
}
