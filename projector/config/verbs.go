package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// keyMaker tells which rows an event changes.
type keyMaker struct {
	when *program // nil = always
	each *program // nil = once
	key  []*program

	late     bool     // the key depends on lookups
	lateWhen *program // decided with the lookups, before the key; nil = always
	lookups  []lookedUp
}

// lateKey implements LateKey of a [readmodel.DynamicRule].
func (k *keyMaker) lateKey(e *env, item any, looked func(i int) []any) ([]any, error) {
	e.apply(nil, nil, item)
	e.look(k.lookups, looked)
	if k.lateWhen != nil {
		if yes, err := isTrue(k.lateWhen, e); !yes {
			return nil, err
		}
	}
	key, err := evaluate(k.key, e, nil)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return key, nil
}

// yield implements Keys of a [readmodel.DynamicRule].
func (k *keyMaker) yield(e *env, yield func(key []any, item any) error) error {
	buffer := e.key[:0]
	e.apply(nil, nil, nil)
	e.look(nil, nil)
	if k.each == nil {
		return k.yieldOne(e, buffer, yield)
	}
	v, err := k.each.value(e)
	if err != nil {
		return fmt.Errorf("each: %w", err)
	}
	items, ok := asList(v)
	if !ok {
		return fmt.Errorf("each: %s: want a list, got %s", k.each.source, kindName(v))
	}
	for _, item := range items {
		e.item = item
		if err := k.yieldOne(e, buffer, yield); err != nil {
			return err
		}
	}
	return nil
}

func (k *keyMaker) yieldOne(e *env, buffer []any, yield func(key []any, item any) error) error {
	if k.when != nil {
		if yes, err := isTrue(k.when, e); !yes {
			return err
		}
	}
	item := e.item
	if k.late {
		return yield(nil, item)
	}
	key, err := evaluate(k.key, e, buffer)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return yield(key, item)
}

func evaluate(programs []*program, e *env, into []any) ([]any, error) {
	for _, p := range programs {
		v, err := p.value(e)
		if err != nil {
			return nil, err
		}
		into = append(into, v)
	}
	return into, nil
}

func isTrue(p *program, e *env) (bool, error) {
	v, err := p.value(e)
	if err != nil {
		return false, fmt.Errorf("when: %w", err)
	}
	yes, isBool := v.(bool)
	if !isBool {
		return false, fmt.Errorf("when: %s: want true or false, got %s", p.source, kindName(v))
	}
	return yes, nil
}

// asList returns a value as a list; nothing is an empty one.
func asList(v any) (list []any, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		return v, true
	case []string:
		for _, s := range v {
			list = append(list, s)
		}
		return list, true
	case []int:
		for _, n := range v {
			list = append(list, n)
		}
		return list, true
	}
	return nil, false
}

// compiledRule is what an event does to a row.
type compiledRule struct {
	def     *checkpoint.Table
	when    *program // that looks at rows; nil = always
	deletes bool
	inserts bool
	actions []action

	lookups     []lookedUp
	lookupPrint string
}

// action changes one column.
type action struct {
	verb   verb
	column int
	value  *program
}

// apply changes a row. All expressions see the row as it was before the event.
func (r *compiledRule) apply(row *readmodel.Values, e *env, item any) error {
	e.apply(row, r.def, item)
	e.look(r.lookups, row.Looked)
	if r.when != nil {
		yes, err := isTrue(r.when, e)
		if !yes {
			row.Keep()
			return err
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
		v, err := r.next(a, row, e)
		if err != nil {
			return fmt.Errorf("%v %s: %w", a.verb, r.def.Columns[a.column].Name, err)
		}
		values = append(values, v)
	}
	if r.inserts {
		row.Replace()
	}
	for i := range r.actions {
		if err := row.Set(r.actions[i].column, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// next returns what a column is to hold.
func (r *compiledRule) next(a *action, row *readmodel.Values, e *env) (any, error) {
	old := row.Column(a.column)
	if a.verb == verbSetOnce && old != nil {
		return old, nil
	}
	v, err := a.value.value(e)
	if err != nil {
		return nil, err
	}
	column := &r.def.Columns[a.column]
	switch a.verb {
	case verbIncrement:
		if v == nil {
			return nil, fmt.Errorf("%s: nothing to add; write ?? 0 where it may be missing", a.value.source)
		}
		return r.combine(column, old, v, readmodel.Add)
	case verbMax, verbMin:
		if v == nil {
			return old, nil
		}
		return r.combine(column, old, v, func(old, v any) (any, error) {
			if order := readmodel.Compare(column.Type, v, old); a.verb == verbMax && order > 0 || a.verb == verbMin && order < 0 {
				return v, nil
			}
			return old, nil
		})
	case verbAppend:
		return appended(column.Type, old, v, a.value.source)
	case verbMerge:
		return merged(old, v, a.value.source)
	}
	return v, nil
}

// combine makes one value of the old and the new one.
func (r *compiledRule) combine(column *checkpoint.Column, old, v any, with func(old, v any) (any, error)) (any, error) {
	c, err := readmodel.Convert(column.Type, v)
	if err == nil && old != nil {
		c, err = with(old, c)
	}
	if err != nil {
		return nil, &readmodel.ValueError{Table: r.def.Name, Column: column.Name, Value: v, Err: err}
	}
	return c, nil
}

// appended returns a list with a value, or all of a list, at its end.
func appended(t checkpoint.Type, old, v any, from string) (any, error) {
	if v == nil {
		return nil, fmt.Errorf("%s: nothing to append", from)
	}
	if !t.List {
		list, ok := asList(rowValue(old))
		if !ok {
			return nil, errors.New("the column holds JSON that is no list")
		}
		return append(slices.Clone(list), v), nil
	}
	list, _ := asList(old)
	if more, ok := asList(v); ok {
		return slices.Concat(list, more), nil
	}
	return append(slices.Clone(list), v), nil
}

// merged merges an object into JSON, as RFC 7386 says.
func merged(old, v any, from string) (any, error) {
	patch, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: want an object to merge, got %s", from, kindName(v))
	}
	return merge(rowValue(old), patch), nil
}

func merge(target any, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, v := range members {
		if v == nil {
			delete(object, name)
			continue
		}
		object[name] = merge(object[name], v)
	}
	return object
}

// exactly returns an evaluation of a path in the body that keeps all digits of a number.
func exactly(path []step, eval func(e *env) (any, error)) func(e *env) (any, error) {
	return func(e *env) (any, error) {
		v, err := eval(e)
		if _, isFloat := v.(float64); !isFloat || err != nil || !e.json {
			return v, err
		}
		d := json.NewDecoder(bytes.NewReader(e.event.Data))
		d.UseNumber()
		var body any
		if err := d.Decode(&body); err != nil {
			return nil, err
		}
		if exact, err := follow(body, path); exact != nil || err != nil {
			return exact, err
		}
		return v, nil
	}
}

// fingerprint says what the rule does; the order of its parts in the file does not matter.
func (r *compiledRule) fingerprint() string {
	var b strings.Builder
	b.WriteString(r.lookupPrint)
	if r.when != nil {
		fmt.Fprintf(&b, "when %s ", r.when.source)
	}
	if r.deletes {
		b.WriteString("delete ")
	}
	var parts []string
	for _, a := range r.actions {
		parts = append(parts, fmt.Sprintf("%v %s %s", a.verb, r.def.Columns[a.column].Name, a.value.source))
	}
	slices.Sort(parts)
	b.WriteString(strings.Join(parts, " "))
	return b.String()
}

func (k *keyMaker) fingerprint() string {
	var b strings.Builder
	if k.when != nil {
		fmt.Fprintf(&b, "if %s ", k.when.source)
	}
	if k.each != nil {
		fmt.Fprintf(&b, "each %s ", k.each.source)
	}
	if k.lateWhen != nil {
		fmt.Fprintf(&b, "then %s ", k.lateWhen.source)
	}
	fmt.Fprintf(&b, "key %s ", sources(k.key))
	return b.String()
}

func sources(programs []*program) string {
	texts := make([]string, len(programs))
	for i, p := range programs {
		texts[i] = p.source
	}
	return strings.Join(texts, ", ")
}
