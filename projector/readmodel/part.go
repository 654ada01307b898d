package readmodel

import (
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
)

// Part is what one type of event does to a table of R. [On] and [OnEach] make parts, [Table] takes them.
type Part[R any] struct {
	build func(table string) keyedRule
	codec codec.Codec // nil = that of the model
}

// WithCodec sets how the bodies of these events are decoded. Defaults to that of the table, see [Model.WithCodec].
func (p Part[R]) WithCodec(c codec.Codec) Part[R] {
	p.codec = c
	return p
}

// On folds each event of a type into one row: keyFn names the row, foldFn changes it. The body is decoded as JSON, unless
// [Part.WithCodec] or [Model.WithCodec] say otherwise. An error of foldFn, or a panic, leaves nothing of the event in any table.
//
// Both functions must depend on nothing but their arguments: an event may be folded again after a failure.
func On[B any, K comparable, R any](eventType string, keyFn func(e projector.Event[B]) K, foldFn func(r *Row[R], e projector.Event[B]) error) Part[R] {
	return Part[R]{build: func(table string) keyedRule {
		return &oneRule[B, K, R]{typed: newTyped[B, K](eventType, table), key: keyFn, fold: foldFn}
	}}
}

// Insert writes each event of a type as a row of its own: keyFn names the row, rowFn makes it. A row with the same key is
// replaced without being read, so this is as fast as writing rows can be.
func Insert[B any, K comparable, R any](eventType string, keyFn func(e projector.Event[B]) K, rowFn func(e projector.Event[B]) (R, error)) Part[R] {
	return Part[R]{build: func(table string) keyedRule {
		return &insertRule[B, K, R]{typed: newTyped[B, K](eventType, table), key: keyFn, row: rowFn}
	}}
}

// OnEach folds each event of a type into several rows: items lists what the event holds, such as the lines of an order
// (none is allowed), keyFn names the row of an item, and foldFn changes it. Items with the same key change the same row,
// one after the other.
func OnEach[B, T any, K comparable, R any](eventType string, items func(e projector.Event[B]) []T, keyFn func(e projector.Event[B], item T) K,
	foldFn func(r *Row[R], e projector.Event[B], item T) error,
) Part[R] {
	return Part[R]{build: func(table string) keyedRule {
		return &eachRule[B, T, K, R]{typed: newTyped[B, K](eventType, table), items: items, key: keyFn, fold: foldFn}
	}}
}
