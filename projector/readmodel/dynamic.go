package readmodel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// DynamicTable is a table whose columns are known only at run time. E is what its rules get of an event.
type DynamicTable[E any] struct {
	Table *checkpoint.Table // a row that is made holds the defaults of its columns
	Rules []DynamicRule[E]

	// Untouched are columns that no rule changes or looks at. They hold their default, so that adding or changing none but
	// these leaves rows as they should be.
	Untouched []string
}

// DynamicRule is what events of one type do to a [DynamicTable].
type DynamicRule[E any] struct {
	EventType   string // or a pattern, in which * stands for any text
	Fingerprint string // changes when the rule does
	Decoder     *Decoder[E]

	// Keys yields the key of each row that the event changes, in the order of Table.Key. It must return the error of
	// yield. The key is copied; Apply gets item back.
	Keys func(in *E, yield func(key []any, item any) error) error
	// OneKey identifies how the key of the one row is computed that an event changes: rules with the same OneKey give an event
	// rows of the same key, and look at no others. Empty if an event may have several keys.
	OneKey string
	// OwnRows says that no other event changes or looks at the rows, as their keys hold the id of the event.
	OwnRows bool
	// Lookups are rows of other tables that Apply looks at.
	Lookups []Lookup[E]
	// LateKey returns the key where it depends on the rows looked at; nil if nothing is to be changed. Keys then yields
	// nil in place of keys. Rows that are not in memory are loaded one by one.
	LateKey func(in *E, item any, looked func(i int) []any) ([]any, error)
	// Blind says that Apply replaces the row, whatever it was, so that it need not be loaded.
	Blind bool
	// Apply changes one row.
	Apply func(row *Values, in *E, item any) error
}

// Lookup names a row of another table of the same model.
type Lookup[E any] struct {
	Table *checkpoint.Table
	// Key returns the key in the order of Table.Key. If one of its values is nil, there is no such row.
	Key func(in *E, item any) ([]any, error)
}

// Decoder turns events into what rules work with. Rules with the same decoder share what it makes of an event.
type Decoder[E any] struct {
	// Decode fills a zero value. It may keep e, which is not changed.
	Decode func(e *source.Event, into *E) error
}

// Dynamic makes a model of a table that is described at run time. Its error says what is wrong with the description.
func Dynamic[E any](d DynamicTable[E]) (*Model, error) {
	if err := d.Table.Validate(); err != nil {
		return nil, err
	}
	t := &table{def: d.Table, untouched: map[string]bool{}}
	for _, name := range d.Untouched {
		t.untouched[name] = true
	}
	defaults := make([]any, len(d.Table.Columns))
	for i, c := range d.Table.Columns {
		v, err := Convert(c.Type, c.Default)
		if err != nil {
			return nil, &ValueError{Table: d.Table.Name, Column: c.Name, Value: c.Default, Err: err}
		}
		defaults[i] = v
	}
	key := d.Table.KeyIndexes()
	t.newState = func() state { return &Values{table: d.Table, key: key, defaults: defaults} }
	for _, r := range d.Rules {
		t.rules = append(t.rules, &dynamicRule[E]{DynamicRule: r, table: d.Table, columns: key})
	}
	return &Model{tables: []*table{t}, cacheRows: DefaultCacheRows}, nil
}

// Values is one row of a [DynamicTable] while an event is folded into it. After the call the row exists, unless it was
// deleted.
type Values struct {
	// Exists tells whether there was such a row before this event.
	Exists bool

	table    *checkpoint.Table
	key      []int
	defaults []any
	columns  []any
	looked   [][]any
	deleted  bool
	kept     bool
}

// Column returns the value of a column, by its index.
func (v *Values) Column(i int) any { return v.columns[i] }

// Looked returns the columns of the row that a [Lookup] of the rule names, by its index, as they were before the event;
// nil if there is no such row.
func (v *Values) Looked(i int) []any { return v.looked[i] }

// Replace makes the row as if it did not exist: only the key and defaults.
func (v *Values) Replace() {
	for i := range v.columns {
		if !slices.Contains(v.key, i) {
			v.columns[i] = v.defaults[i]
		}
	}
	v.Exists = false
}

// Set changes a column, given by its index. The value is converted as by [Convert]; the error is a *[ValueError].
func (v *Values) Set(i int, x any) error {
	c := &v.table.Columns[i]
	canonical, err := Convert(c.Type, x)
	if err == nil && canonical == nil && c.NotNull {
		err = errors.New("the column may not be NULL")
	}
	if err != nil {
		return &ValueError{Table: v.table.Name, Column: c.Name, Value: x, Err: err}
	}
	v.columns[i] = canonical
	return nil
}

// Delete removes the row, or leaves it absent.
func (v *Values) Delete() { v.deleted = true }

// Keep leaves the row as it was, or absent.
func (v *Values) Keep() { v.kept = true }

func (v *Values) reset(key []any) {
	v.columns = append(v.columns[:0], v.defaults...)
	for i, at := range v.key {
		v.columns[at] = key[i]
	}
	v.Exists, v.deleted = false, false
}

func (v *Values) load(key, columns []any) error {
	if v.reset(key); columns != nil {
		copy(v.columns, columns)
		v.Exists = true
	}
	return nil
}

func (v *Values) save([]any) []any {
	if !v.Exists {
		return nil
	}
	return slices.Clone(v.columns)
}

func (v *Values) after(key []any) error {
	switch {
	case v.kept:
		v.kept = false
		return nil
	case v.deleted:
		v.reset(key)
		return nil
	}
	if !v.Exists {
		for i, c := range v.table.Columns {
			if c.NotNull && v.columns[i] == nil {
				return &ValueError{Table: v.table.Name, Column: c.Name, Err: errors.New("the column may not be NULL")}
			}
		}
	}
	v.Exists = true
	return nil
}

type dynamicRule[E any] struct {
	DynamicRule[E]
	table   *checkpoint.Table
	columns []int // of the key
}

func (r *dynamicRule[E]) eventType() string   { return r.EventType }
func (r *dynamicRule[E]) fingerprint() string { return r.Fingerprint }
func (r *dynamicRule[E]) decoding() decoding  { return dynamicDecoding[E]{r.Decoder} }

func (r *dynamicRule[E]) bind(in decoder) step {
	s := &dynamicStep[E]{dynamicRule: r, in: in.(*dynamicDecoder[E])}
	s.make = func() []any { return slices.Clone(s.values) }
	s.each = s.yield
	return s
}

type dynamicDecoding[E any] struct{ decoder *Decoder[E] }

func (d dynamicDecoding[E]) newDecoder(string, int64) decoder {
	return &dynamicDecoder[E]{Decoder: d.decoder}
}

type dynamicDecoder[E any] struct {
	*Decoder[E]
	events []E
}

func (d *dynamicDecoder[E]) decode(e *source.Event) error {
	d.events = append(d.events, *new(E))
	return d.Decode(e, &d.events[len(d.events)-1])
}

func (d *dynamicDecoder[E]) reset() {
	clear(d.events)
	d.events = d.events[:0]
}

type dynamicStep[E any] struct {
	*dynamicRule[E]
	in    *dynamicDecoder[E]
	items []any // of all events of the batch

	values []any // of the key at hand
	bytes  []byte
	make   func() []any
	to     wants
	each   func(key []any, item any) error
}

func (s *dynamicStep[E]) keys(to wants) error {
	s.to = to
	return s.Keys(&s.in.events[len(s.in.events)-1], s.each)
}

func (s *dynamicStep[E]) yield(key []any, item any) error {
	for i := range s.Lookups {
		if err := s.look(&s.Lookups[i], item); err != nil {
			return err
		}
	}
	s.items = append(s.items, item)
	if s.LateKey != nil {
		s.to.later(len(s.items) - 1)
		return nil
	}
	if err := s.convert(s.table, s.columns, key); err != nil {
		return err
	}
	return s.to.change(s.bytes, s.make, len(s.items)-1, s.Blind)
}

// key implements [lateStep].
func (s *dynamicStep[E]) key(slot, item int, looked [][]any) ([]byte, func() []any, error) {
	key, err := s.LateKey(&s.in.events[slot], s.items[item], func(i int) []any { return looked[i] })
	if err != nil || key == nil {
		return nil, nil, err
	}
	if err := s.convert(s.table, s.columns, key); err != nil {
		return nil, nil, err
	}
	return s.bytes, s.make, nil
}

// look asks for the row of a lookup.
func (s *dynamicStep[E]) look(l *Lookup[E], item any) error {
	key, err := l.Key(&s.in.events[len(s.in.events)-1], item)
	if err != nil {
		return err
	}
	if slices.Contains(key, nil) {
		return s.to.look(l.Table.Name, nil, nil)
	}
	if err := s.convert(l.Table, l.Table.KeyIndexes(), key); err != nil {
		return err
	}
	return s.to.look(l.Table.Name, s.bytes, s.make)
}

// convert makes both forms of a key.
func (s *dynamicStep[E]) convert(table *checkpoint.Table, columns []int, key []any) error {
	if len(key) != len(columns) {
		return fmt.Errorf("table %q: got a key of %d values, want %d", table.Name, len(key), len(columns))
	}
	s.values, s.bytes = s.values[:0], s.bytes[:0]
	for i, at := range columns {
		c := &table.Columns[at]
		v, err := convertKey(c.Type, key[i])
		if err != nil {
			return fmt.Errorf("key: %w", &ValueError{Table: table.Name, Column: c.Name, Value: key[i], Err: err})
		}
		s.values = append(s.values, v)
		s.bytes = appendKey(s.bytes, v)
	}
	return nil
}

func convertKey(t checkpoint.Type, v any) (any, error) {
	v, err := Convert(t, v)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, errKeyNull
	}
	return v, nil
}

func (s *dynamicStep[E]) apply(slot, item int, to *row, looked [][]any) error {
	v := to.state.(*Values)
	v.looked = looked
	defer func() { v.looked = nil }()
	if err := s.Apply(v, &s.in.events[slot], s.items[item]); err != nil {
		return err
	}
	return v.after(to.key)
}

func (s *dynamicStep[E]) reset() {
	clear(s.items)
	s.items = s.items[:0]
}
