package config

import (
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// fits checks that what is known of a result can be stored in a column.
func (c *ruleCompiler) fits(p *program, e expression, column checkpoint.Column) {
	if p == nil || column.Type.Base == 0 {
		return
	}
	if p.constant {
		v, err := p.eval(&env{})
		if err == nil {
			_, err = readmodel.Convert(column.Type, v)
		}
		if err != nil {
			c.failOnce(e.node, e.path, "column %q of type %v cannot hold %s: %v", column.Name, column.Type, p.source, err)
		}
		return
	}
	if p.typ != nil && !holds(column.Type, p.typ) {
		c.failOnce(e.node, e.path, "column %q of type %v cannot hold %s", column.Name, column.Type, typeName(p.typ))
	}
}

// holds reports whether a column may be able to hold values of a Go type.
func holds(t checkpoint.Type, typ reflect.Type) bool {
	if t.Base == checkpoint.JSON && !t.List {
		return true
	}
	if t.List {
		return typ.Kind() == reflect.Slice || typ.Kind() == reflect.Array
	}
	switch typ {
	case reflect.TypeFor[time.Time]():
		return t.Base == checkpoint.Time
	case reflect.TypeFor[[]byte]():
		return t.Base == checkpoint.Bytes
	case reflect.TypeFor[uuid.UUID]():
		return t.Base == checkpoint.UUID || t.Base == checkpoint.Text
	}
	switch typ.Kind() {
	case reflect.String:
		return t.Base != checkpoint.Int && t.Base != checkpoint.Float && t.Base != checkpoint.Bool
	case reflect.Bool:
		return t.Base == checkpoint.Bool
	case reflect.Float32, reflect.Float64, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return t.Base == checkpoint.Int || t.Base == checkpoint.Float || t.Base == checkpoint.Decimal
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct, reflect.Func:
		return false
	}
	return true
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a float"
	case reflect.Int, reflect.Int64:
		return "an int"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map:
		return "an object"
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a time"
	case reflect.TypeFor[time.Duration]():
		return "a duration"
	}
	return t.String()
}
