package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Opt is a field that may be absent.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some is a field that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// scanner walks over the fields of a message. One call a field, no closures and no allocation.
type scanner struct {
	rest []byte
	num  protowire.Number
	v    uint64 // of a varint field, else 0
	data []byte // of a length-delimited field, aliasing the message; nil for all others, never nil for those
	err  error
}

// next moves on to the next field, and reports whether there is one. Fields of fixed width are passed over: no message
// has any.
func (s *scanner) next() bool {
	for len(s.rest) > 0 {
		tag, n := uvarint(s.rest)
		if n < 0 {
			return s.fail(n)
		}
		num, typ := protowire.DecodeTag(tag)
		if num < protowire.MinValidNumber {
			s.err = fmt.Errorf("%w: field number %d", ErrBody, num)
			return false
		}
		s.rest = s.rest[n:]
		s.num, s.v, s.data = num, 0, nil
		switch typ {
		case protowire.VarintType:
			if s.v, n = uvarint(s.rest); n < 0 {
				return s.fail(n)
			}
			s.rest = s.rest[n:]
			return true
		case protowire.BytesType:
			size, n := uvarint(s.rest)
			if n < 0 {
				return s.fail(n)
			}
			if size > uint64(len(s.rest)-n) {
				s.err = fmt.Errorf("%w: field %d of %d bytes, %d left", ErrBody, num, size, len(s.rest)-n)
				return false
			}
			end := n + int(size)
			s.data = s.rest[n:end:end]
			s.rest = s.rest[end:]
			return true
		default:
			if n = protowire.ConsumeFieldValue(num, typ, s.rest); n < 0 {
				return s.fail(n)
			}
			s.rest = s.rest[n:]
		}
	}
	return false
}

func (s *scanner) fail(n int) bool {
	s.err = fmt.Errorf("%w: %w", ErrBody, protowire.ParseError(n))
	return false
}

func (s *scanner) bool() bool   { return s.v != 0 }
func (s *scanner) int64() int64 { return int64(s.v) }
func (s *scanner) int32() int32 { return int32(s.v) }

// uvarint is protowire.ConsumeVarint with the common case, one byte, in line.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

func appendInt(dst []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), uint64(v))
}

func appendBool(dst []byte, num protowire.Number, v bool) []byte {
	return appendInt(dst, num, int64(protowire.EncodeBool(v)))
}

func appendOptInt(dst []byte, num protowire.Number, v Opt[int64]) []byte {
	if !v.Set {
		return dst
	}
	return appendInt(dst, num, v.Value)
}

func appendBytes[T ~string | ~[]byte](dst []byte, num protowire.Number, v T) []byte {
	dst = protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.BytesType), uint64(len(v)))
	return append(dst, v...)
}

func appendOptString(dst []byte, num protowire.Number, v Opt[string]) []byte {
	if !v.Set {
		return dst
	}
	return appendBytes(dst, num, v.Value)
}

// beginMessage appends the tag of a nested message and room for its length; endMessage fills that in. Most lengths take
// one or two bytes, so what follows is moved only where the guess was wrong.
func beginMessage(dst []byte, num protowire.Number) (b []byte, start int) {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	return append(dst, 0, 0), len(dst)
}

func endMessage(dst []byte, start int) []byte {
	const guess = 2
	n := len(dst) - start - guess
	size := protowire.SizeVarint(uint64(n))
	switch {
	case size < guess:
		copy(dst[start+size:], dst[start+guess:])
		dst = dst[:len(dst)-(guess-size)]
	case size > guess:
		for range size - guess {
			dst = append(dst, 0)
		}
		copy(dst[start+size:], dst[start+guess:start+guess+n])
	}
	protowire.AppendVarint(dst[:start], uint64(n))
	return dst
}
