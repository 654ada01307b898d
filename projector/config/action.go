package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// decode makes ready what the rules look at.
func (u *uses) decode(e *source.Event, into *env) (err error) {
	into.event = e
	if u.body {
		if into.body, err = decodeJSON(e.Data); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	if u.metadata {
		into.metadata = map[string]any{}
		if len(e.Metadata) > 0 {
			if into.metadata, err = decodeJSON(e.Metadata); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
		}
	}
	return nil
}

// action changes one column.
type action struct {
	verb   verb
	column int
	value  *program
	label  string // for errors: "increment jumps"
}

// verb is what an action does with the value.
type verb string

const (
	verbSet       verb = "set"
	verbIncrement verb = "increment"
	verbMax       verb = "max"
	verbMin       verb = "min"
)

// rule compiles one rule; nil after it has noted a mistake.
func (c *tableCompiler) rule(eventType string, i int, raw *rawRule) *readmodel.DynamicRule[env] {
	path := join(c.onPath, eventType)
	if raw.node == nil {
		return nil
	}
	broken := false
	before := len(c.mistakes)
	dec, uses := c.decoders.of(eventType)
	program := func(e expression, s scope) *program {
		p := c.compileExpression(e, s)
		if broken = broken || p == nil; p != nil {
			uses.body = uses.body || p.usesBody
			uses.metadata = uses.metadata || p.usesMetadata
		}
		return p
	}
	key := c.key(raw, path, program)
	r := &compiledRule{names: c.names, def: c.def, deletes: raw.delete}
	if raw.when != nil {
		r.when = program(*raw.when, scope{c.def})
		if r.when != nil && r.when.typ != nil && r.when.typ.Kind() != reflect.Bool {
			c.fail(raw.when.node, raw.when.path, "want true or false, such as body.amount > 100; this is %s", typeName(r.when.typ))
		}
	}
	for _, a := range []struct {
		verb    verb
		columns []named[expression]
	}{{verbSet, raw.set}, {verbIncrement, raw.increment}, {verbMax, raw.max}, {verbMin, raw.min}} {
		for _, column := range a.columns {
			c.action(r, a.verb, column, path, program)
		}
	}
	if broken || len(c.mistakes) > before {
		return nil
	}
	slices.SortFunc(r.actions, func(a, b action) int { return strings.Compare(a.label, b.label) })
	return &readmodel.DynamicRule[env]{
		EventType: eventType, Fingerprint: fmt.Sprintf("%d key %s %s", i, fingerprint(key), r.fingerprint()),
		Decoder: dec, Keys: keysOf(key), Apply: r.apply,
	}
}

// key compiles the key of a rule: its own, or that of its table.
func (c *tableCompiler) key(raw *rawRule, path string, compile func(expression, scope) *program) []*program {
	key, node, at := raw.key, raw.node, join(path, "key")
	if len(key) == 0 {
		parent := strings.TrimSuffix(c.path, ".table")
		key, node, at = c.placedTable.key, c.node, join(parent, "key")
	}
	switch primary := join(c.path, "primary_key"); {
	case c.failedWithin(at), c.failedWithin(primary), len(c.primaryKey) == 0:
		return nil
	case len(key) == 0:
		c.fail(node, strings.TrimSuffix(at, ".key"), "key is missing: an expression for each column of primary_key (%s)", strings.Join(c.def.Key, ", "))
		return nil
	case len(key) != len(c.def.Key):
		c.fail(key[0].node, at, "want an expression for each column of primary_key (%s), got %d", strings.Join(c.def.Key, ", "), len(key))
		return nil
	}
	programs := make([]*program, len(key))
	for i, e := range key {
		programs[i] = compile(e, scope{})
		c.fits(programs[i], e, c.def.Columns[c.def.Column(c.def.Key[i])])
	}
	return programs
}

// action compiles one verb for one column.
func (c *tableCompiler) action(r *compiledRule, v verb, raw named[expression], path string, compile func(expression, scope) *program) {
	at := join(join(path, string(v)), raw.Name)
	i := c.def.Column(raw.Name)
	if i < 0 {
		c.fail(raw.node, at, "table %q has no column %q%s", c.def.Name, raw.Name, didYouMean(raw.Name, c.names))
		return
	}
	column := c.def.Columns[i]
	switch {
	case column.Type.Base == 0: // its mistake is noted already
		return
	case slices.Contains(c.def.Key, raw.Name):
		c.fail(raw.node, at, "a column of the primary key is filled from the key and cannot be changed")
	case slices.ContainsFunc(r.actions, func(a action) bool { return a.column == i }):
		c.fail(raw.node, at, "column %q is changed twice by one rule", raw.Name)
	case v == verbIncrement && !readmodel.Numeric(column.Type):
		c.fail(raw.node, at, "column of type %v cannot be incremented: want int, float or decimal", column.Type)
		return
	case (v == verbMax || v == verbMin) && !readmodel.Ordered(column.Type):
		c.fail(raw.node, at, "values of type %v have no order", column.Type)
		return
	}
	p := compile(raw.Value, scope{c.def})
	c.fits(p, raw.Value, column)
	if v == verbIncrement {
		c.counters[i] = true
	}
	r.actions = append(r.actions, action{verb: v, column: i, value: p, label: string(v) + " " + raw.Name})
}

// fits checks that what is known of a result can be stored in a column.
func (c *tableCompiler) fits(p *program, e expression, column checkpoint.Column) {
	if p == nil || column.Type.Base == 0 {
		return
	}
	if p.constant {
		v, err := p.eval(nil)
		if err == nil {
			_, err = readmodel.Convert(column.Type, v)
		}
		if err != nil {
			c.fail(e.node, e.path, "column %q of type %v cannot hold %s: %v", column.Name, column.Type, p.source, err)
		}
		return
	}
	if p.typ != nil && !holds(column.Type, p.typ) {
		c.fail(e.node, e.path, "column %q of type %v cannot hold %s", column.Name, column.Type, typeName(p.typ))
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
	if t == reflect.TypeFor[time.Time]() {
		return "a time"
	}
	return t.String()
}

// keysOf evaluates the key of an event.
func keysOf(key []*program) func(*env, func([]any, any) error) error {
	pool := sync.Pool{New: func() any { v := make([]any, len(key)); return &v }}
	return func(e *env, yield func([]any, any) error) error {
		values := pool.Get().(*[]any)
		defer pool.Put(values)
		for i, p := range key {
			v, err := p.eval(e)
			if err != nil {
				return fmt.Errorf("key %s: %w", p.source, err)
			}
			(*values)[i] = v
		}
		return yield(*values, nil)
	}
}

// compiledRule is what an event does to a row.
type compiledRule struct {
	def     *checkpoint.Table
	names   []string // of columns
	when    *program
	deletes bool
	actions []action
}

var errNotBool = errors.New("is neither true nor false")

// apply changes a row. All expressions see the row as it was before the event.
func (r *compiledRule) apply(row *readmodel.Values, e *env, _ any) error {
	e.row, e.table = row, r.names
	defer func() { e.row = nil }()
	if r.when != nil {
		v, err := r.when.eval(e)
		yes, isBool := v.(bool)
		switch {
		case err == nil && !isBool:
			err = errNotBool
			fallthrough
		case err != nil:
			return fmt.Errorf("when %s: %w", r.when.source, err)
		case !yes:
			row.Keep()
			return nil
		}
	}
	if r.deletes {
		row.Delete()
		return nil
	}
	var buffer [8]any
	values := buffer[:0]
	for i := range r.actions {
		a := &r.actions[i]
		v, err := a.value.eval(e)
		if err == nil && a.verb != verbSet {
			v, err = r.combine(a, row.Column(a.column), v)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", a.label, a.value.source, err)
		}
		values = append(values, v)
	}
	for i := range r.actions {
		if err := row.Set(r.actions[i].column, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// combine returns what becomes of the old value of a column.
func (r *compiledRule) combine(a *action, old, v any) (any, error) {
	column := &r.def.Columns[a.column]
	if v == nil {
		if a.verb == verbIncrement {
			return nil, errors.New("there is nothing to add; write ?? 0 where it may be missing")
		}
		return old, nil
	}
	next, err := readmodel.Convert(column.Type, v)
	if err != nil {
		return nil, &readmodel.ValueError{Table: r.def.Name, Column: column.Name, Value: v, Err: err}
	}
	switch {
	case old == nil:
		return next, nil
	case a.verb == verbIncrement:
		sum, err := readmodel.Add(old, next)
		if err != nil {
			return nil, &readmodel.ValueError{Table: r.def.Name, Column: column.Name, Value: v, Err: err}
		}
		return sum, nil
	}
	if order := readmodel.Compare(column.Type, next, old); a.verb == verbMax && order > 0 || a.verb == verbMin && order < 0 {
		return next, nil
	}
	return old, nil
}

func (r *compiledRule) fingerprint() string {
	var b strings.Builder
	if r.when != nil {
		fmt.Fprintf(&b, "when %s ", r.when.source)
	}
	if r.deletes {
		b.WriteString("delete ")
	}
	for _, a := range r.actions {
		fmt.Fprintf(&b, "%s %s ", a.label, a.value.source)
	}
	return b.String()
}

func fingerprint(key []*program) string {
	sources := make([]string, len(key))
	for i, p := range key {
		sources[i] = p.source
	}
	return strings.Join(sources, ", ")
}
