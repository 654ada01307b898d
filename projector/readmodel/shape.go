package readmodel

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/photonpump/projector/checkpoint"
)

// shape says how the fields of a Go struct are the columns of a table. It is made once, when the table is defined.
type shape struct {
	typ     reflect.Type
	fields  []field // those that are columns, in the order of the struct
	cleaned []int   // fields with a clean function
}

// field is one column of a struct, or of a key.
type field struct {
	index  []int // for reflect.Value.FieldByIndex; empty = the value itself
	column checkpoint.Column
	access

	key, indexed, unique bool
}

// of returns the field within v.
func (f *field) of(v reflect.Value) reflect.Value {
	switch len(f.index) {
	case 0:
		return v
	case 1:
		return v.Field(f.index[0])
	}
	return v.FieldByIndex(f.index)
}

// shapeOf reads the tags of a struct type. Its error names the field.
func shapeOf(t reflect.Type) (*shape, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is no struct", t)
	}
	s := &shape{typ: t}
	if err := s.add(t, nil); err != nil {
		return nil, err
	}
	if len(s.fields) == 0 {
		return nil, fmt.Errorf("%v has no exported field that is a column", t)
	}
	for i, f := range s.fields {
		if f.clean != nil {
			s.cleaned = append(s.cleaned, i)
		}
		if j := slices.IndexFunc(s.fields[:i], func(g field) bool { return g.column.Name == f.column.Name }); j >= 0 {
			return nil, fmt.Errorf("%v has two fields for column %q", t, f.column.Name)
		}
	}
	return s, nil
}

func (s *shape) add(t reflect.Type, prefix []int) error {
	for sf := range fields(t) {
		index := append(slices.Clone(prefix), sf.Index...)
		tag, tagged := sf.Tag.Lookup("db")
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct && !isScalar(sf.Type) {
			if err := s.add(sf.Type, index); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() || tag == "-" {
			continue
		}
		f, err := newField(sf, tag)
		if err != nil {
			return fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
		f.index = index
		s.fields = append(s.fields, f)
	}
	return nil
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

func newField(sf reflect.StructField, tag string) (field, error) {
	name, rest, _ := strings.Cut(tag, ",")
	if name == "" {
		name = snakeCase(sf.Name)
	}
	f := field{column: checkpoint.Column{Name: name}}
	var as string
	for option := range strings.SplitSeq(rest, ",") {
		switch option {
		case "":
		case "key":
			f.key = true
		case "index":
			f.indexed = true
		case "unique":
			f.unique = true
		case "json", "decimal":
			as = option
		default:
			return f, fmt.Errorf("unknown option %q in the tag `db:%q`: want key, json, decimal, index or unique", option, tag)
		}
	}
	a, t, nullable, err := accessFor(sf.Type, as)
	if err != nil {
		return f, err
	}
	f.access, f.column.Type, f.column.NotNull = a, t, !nullable
	if !nullable {
		f.column.Default = zero(sf.Type, a)
	}
	return f, nil
}

// zero is what the zero value of a field is in its column; nil if the column cannot hold it.
func zero(t reflect.Type, a access) any {
	v := reflect.New(t).Elem()
	if a.clean != nil && a.clean(v) != nil {
		return nil
	}
	return a.get(v)
}

// snakeCase turns BestM into best_m and HTTPServer into http_server.
func snakeCase(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) && runes[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// keyed returns the fields that the tag says are the key.
func (s *shape) keyed() []field {
	var key []field
	for _, f := range s.fields {
		if f.key {
			key = append(key, f)
		}
	}
	return key
}
