package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"
	"gopkg.in/yaml.v3"
)

// rawEvent declares what an event type holds.
type rawEvent struct{ body *bodyType }

// bodyType is the type of a body or a part of it.
type bodyType struct{ types.Type }

// declaredEvents are the declarations of a file.
type declaredEvents []named[rawEvent]

// body returns the declared body of an event type, nil if there is none. A pattern has none: its events differ.
func (d declaredEvents) body(eventType string) types.Type {
	for _, e := range d {
		if e.Name == eventType && e.Value.body != nil {
			return e.Value.body.Type
		}
	}
	return nil
}

func eventSpec() *object[rawEvent] {
	return &object[rawEvent]{fields: []field[rawEvent]{
		of("body", pointer[bodyType]{bodyKind{}}, func(e *rawEvent) **bodyType { return &e.body },
			"Fields of the body with their types: `{name: text, tags: list of text, address: {city: text}, lines: [{sku: text}]}`. "+
				"Expressions that use others, or use them wrongly, are mistakes."),
	}}
}

// bodyKind is the name of a type, a mapping of fields, or a list with the type of its elements.
type bodyKind struct{}

func (bodyKind) describe() *Description { return &Description{Type: KindBody} }

func (k bodyKind) read(w *walker, n *yaml.Node, path string, v *bodyType) {
	switch n.Kind {
	case yaml.MappingNode:
		fields := types.Map{}
		for _, e := range w.entries(n, path) {
			w.value(e, join(path, e.key.Value), func(n *yaml.Node, path string) {
				var field bodyType
				k.read(w, n, path, &field)
				fields[e.key.Value] = field.Type
			})
		}
		v.Type = fields
	case yaml.SequenceNode:
		if len(n.Content) != 1 {
			w.fail(n, path, "want a list of one, the type of its elements: [{sku: text}]")
			return
		}
		var item bodyType
		k.read(w, w.resolve(n.Content[0]), path+"[]", &item)
		if item.Type != nil {
			v.Type = types.Array(item.Type)
		}
	default:
		v.Type = k.scalar(w, n, path)
	}
}

func bodyScalars() map[string]types.Type {
	return map[string]types.Type{
		"text": types.String, "int": types.Int64, "float": types.Float64, "bool": types.Bool, "time": types.String,
		"uuid": types.String, "decimal": types.Any, "json": types.Any, "any": types.Any,
	}
}

// bodyTypes returns the names of types in bodies.
func bodyTypes() []string {
	names := slices.Sorted(maps.Keys(bodyScalars()))
	for _, name := range slices.Clone(names) {
		names = append(names, listPrefix+name)
	}
	return names
}

// scalar reads the name of a type. What JSON has no form for is text in it.
func (bodyKind) scalar(w *walker, n *yaml.Node, path string) types.Type {
	item, isList := strings.CutPrefix(n.Value, listPrefix)
	t, ok := bodyScalars()[item]
	if !ok {
		w.fail(n, path, "unknown type %q%s", n.Value, similarType(n.Value))
		return nil
	}
	if isList {
		return types.Array(t)
	}
	return t
}
