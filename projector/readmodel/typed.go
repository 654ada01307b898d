package readmodel

import (
	"fmt"
	"reflect"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// typedState is a row of Go type R.
type typedState[R any] struct {
	Row[R]
	*layout
}

// layout says where the values of a row are; all rows of a table share it.
type layout struct {
	shape *shape
	keys  []field // in the order of the table's key; empty = the struct has no key fields
	table string
}

func (s *typedState[R]) reset(key []any) error {
	clear := *new(R)
	s.Value, s.Exists, s.deleted = clear, false, false
	return s.setKey(key)
}

func (s *typedState[R]) setKey(key []any) error {
	if len(s.keys) == 0 {
		return nil
	}
	v := reflect.ValueOf(&s.Value).Elem()
	for i := range s.keys {
		f := &s.keys[i]
		if err := f.set(f.of(v), key[i]); err != nil {
			return s.wrong(f, key[i], err)
		}
	}
	return nil
}

func (s *typedState[R]) wrong(f *field, value any, err error) error {
	return &ValueError{Table: s.table, Column: f.column.Name, Value: value, Err: err}
}

func (s *typedState[R]) load(key, columns []any) error {
	if err := s.reset(key); err != nil || columns == nil {
		return err
	}
	columns = columns[len(columns)-len(s.shape.fields):]
	v := reflect.ValueOf(&s.Value).Elem()
	for i := range s.shape.fields {
		f := &s.shape.fields[i]
		if columns[i] == nil {
			continue // stays zero
		}
		if err := f.set(f.of(v), columns[i]); err != nil {
			return s.wrong(f, columns[i], err)
		}
	}
	s.Exists = true
	return nil
}

func (s *typedState[R]) save(key []any) []any {
	if !s.Exists {
		return nil
	}
	fields := s.shape.fields
	columns := make([]any, 0, len(key)+len(fields))
	if len(s.keys) == 0 {
		columns = append(columns, key...)
	}
	v := reflect.ValueOf(&s.Value).Elem()
	for i := range fields {
		columns = append(columns, fields[i].get(fields[i].of(v)))
	}
	return columns
}

// after brings the row to its canonical form when a function has changed it.
func (s *typedState[R]) after(key []any) error {
	if s.deleted {
		return s.reset(key)
	}
	s.Exists = true
	v := reflect.ValueOf(&s.Value).Elem()
	for _, i := range s.shape.cleaned {
		f := &s.shape.fields[i]
		if f.key {
			continue
		}
		if err := f.clean(f.of(v)); err != nil {
			return s.wrong(f, f.of(v).Interface(), err)
		}
	}
	return s.setKey(key)
}

// decodingOf decodes bodies into B. Rules with equal types and the same codec share it.
type decodingOf[B any] struct {
	codec *chosenCodec
}

// chosenCodec is a codec that may be compared, by what chose it; nil = JSON.
type chosenCodec struct{ codec.Codec }

func (d decodingOf[B]) newDecoder(projection string, epoch int64) decoder {
	c := codec.JSON()
	if d.codec != nil {
		c = d.codec.Codec
	}
	return &decoded[B]{codec: c, projection: projection, epoch: epoch}
}

type decoded[B any] struct {
	codec      codec.Codec
	projection string
	epoch      int64
	events     []projector.Event[B]
}

func (d *decoded[B]) decode(e *source.Event) error {
	d.events = append(d.events, projector.Event[B]{Envelope: projector.Envelope{Event: *e, Projection: d.projection, Epoch: d.epoch}})
	return d.codec.Decode(e.Data, &d.events[len(d.events)-1].Body)
}

func (d *decoded[B]) reset() {
	clear(d.events) // bodies are not kept
	d.events = d.events[:0]
}

// typed is what oneRule and eachRule have in common.
type typed[B any, K comparable] struct {
	event    string
	table    string
	keyShape *keyShape
	columns  []string // of the key
	codec    *chosenCodec
}

func newTyped[B any, K comparable](event, table string) typed[B, K] {
	k, err := keyShapeOf(reflect.TypeFor[K]())
	if err != nil {
		panic(fmt.Sprintf("readmodel: table %q, event type %q: key: %v", table, event, err))
	}
	return typed[B, K]{event: event, table: table, keyShape: k}
}

func (t *typed[B, K]) eventType() string   { return t.event }
func (t *typed[B, K]) decoding() decoding  { return decodingOf[B]{codec: t.codec} }
func (t *typed[B, K]) fingerprint() string { return "" } // nobody knows what a function does
func (t *typed[B, K]) keyOf() *keyShape    { return t.keyShape }
func (t *typed[B, K]) decodeWith(c *chosenCodec, always bool) {
	if always || t.codec == nil {
		t.codec = c
	}
}
func (t *typed[B, K]) fill(key []string) { t.columns = key }

// keyBuffer turns keys into their two forms, one at a time and without allocating.
type keyBuffer[K comparable] struct {
	table  string
	names  []string // of the columns
	fields []field
	key    *K
	values []reflect.Value // of key
	bytes  []byte
	make   func() []any // b.columns
}

func newKeyBuffer[B any, K comparable](t *typed[B, K]) *keyBuffer[K] {
	b := &keyBuffer[K]{table: t.table, names: t.columns, fields: t.keyShape.fields, key: new(K)}
	v := reflect.ValueOf(b.key).Elem()
	for i := range b.fields {
		b.values = append(b.values, b.fields[i].of(v))
	}
	b.make = b.columns
	return b
}

func (b *keyBuffer[K]) set(key K) error {
	*b.key = key
	b.bytes = b.bytes[:0]
	for i := range b.fields {
		f, v := &b.fields[i], b.values[i]
		if f.clean != nil {
			if err := f.clean(v); err != nil {
				return fmt.Errorf("key: %w", &ValueError{Table: b.table, Column: b.names[i], Value: v.Interface(), Err: err})
			}
		}
		b.bytes = f.access.key(b.bytes, v)
	}
	return nil
}

// columns returns the key that was set last as values of columns.
func (b *keyBuffer[K]) columns() []any {
	values := make([]any, len(b.fields))
	for i := range b.fields {
		values[i] = b.fields[i].get(b.values[i])
	}
	return values
}
