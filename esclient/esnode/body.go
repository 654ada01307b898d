package esnode

import (
	"google.golang.org/protobuf/proto"
)

// text is a payload that is no message.
type text string

func (t text) Append(dst []byte) []byte { return append(dst, t...) }

// raw is a payload that is encoded already.
type raw []byte

func (r raw) Append(dst []byte) []byte { return append(dst, r...) }

// message is a generated message as a payload.
type message struct{ proto.Message }

func (m message) Append(dst []byte) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m.Message)
	if err != nil { // only text that is not UTF-8, which none of ours can be
		return dst
	}
	return b
}
