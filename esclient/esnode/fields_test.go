package esnode

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// setField replaces a varint field of a message.
func setField(payload []byte, field string, v uint64) []byte {
	want, _ := strconv.Atoi(field)
	var out []byte
	for rest := payload; len(rest) > 0; {
		num, typ, n := protowire.ConsumeTag(rest)
		m := protowire.ConsumeFieldValue(num, typ, rest[n:])
		if int(num) == want {
			out = protowire.AppendVarint(protowire.AppendTag(out, num, protowire.VarintType), v)
		} else {
			out = append(out, rest[:n+m]...)
		}
		rest = rest[n+m:]
	}
	return out
}

type field struct {
	varint uint64
	bytes  []byte
	isText bool
}

func parseFields(b []byte) (map[int][]field, error) {
	out := map[int][]field{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			out[int(num)], b = append(out[int(num)], field{varint: v}), b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			out[int(num)], b = append(out[int(num)], field{bytes: v, isText: true}), b[n:]
		default:
			return nil, fmt.Errorf("wire type %d", typ)
		}
	}
	return out, nil
}
