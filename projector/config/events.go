package config

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/types"
	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"
)

// rawEvent declares what an event type holds.
type rawEvent struct {
	body     *bodyType
	codec    string
	protobuf *rawProtobuf
	node     *yaml.Node
	decode   bodyDecoder // compiled from codec or protobuf; nil = JSON
	encode   func(asJSON []byte) ([]byte, error)
}

// bodyDecoder turns the bytes of a body into what expressions see.
type bodyDecoder func(data []byte) (any, error)

// bodyType is the type of a body or a part of it.
type bodyType struct{ types.Type }

// declaredEvents are the declarations of a file.
type declaredEvents []named[rawEvent]

// compile finds messages and codecs.
func (d declaredEvents) compile(w *walker) {
	for i := range d {
		e, path := &d[i].Value, join("events", d[i].Name)
		if e.node == nil {
			continue
		}
		given := 0
		for _, yes := range []bool{e.body != nil, e.codec != "" && e.codec != "json", e.protobuf != nil} {
			if yes {
				given++
			}
		}
		if given > 1 {
			w.fail(e.node, path, "has more than one of body, codec and protobuf: want one")
		}
		switch {
		case e.protobuf != nil:
			message := e.protobuf.load(w, join(path, "protobuf"))
			if message == nil {
				continue
			}
			e.decode = func(data []byte) (any, error) { return decodeProtobuf(message, data) }
			e.encode = func(asJSON []byte) ([]byte, error) { return encodeProtobuf(message, asJSON) }
			e.body = &bodyType{messageType(message, map[protoreflect.FullName]bool{})}
		case e.codec == "text":
			e.decode, e.encode = decodeText, encodeText
			e.body = &bodyType{types.String}
		case e.codec == "raw":
			e.decode, e.encode = func(data []byte) (any, error) { return data, nil }, encodeText
			e.body = &bodyType{types.TypeOf([]byte(nil))}
		}
	}
}

func decodeText(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	return string(data), nil
}

// encodeText makes the bytes of a body that stands in a test as text.
func encodeText(asJSON []byte) ([]byte, error) {
	var s string
	if err := json.Unmarshal(asJSON, &s); err != nil {
		return nil, errors.New("the body is text")
	}
	return []byte(s), nil
}

// encode makes the bytes of an event in a test.
func (d declaredEvents) encode(eventType string, asJSON []byte) ([]byte, error) {
	for _, e := range d {
		if e.Name == eventType && e.Value.encode != nil {
			return e.Value.encode(asJSON)
		}
	}
	return asJSON, nil
}

// decoders returns how bodies that are not JSON are decoded, by event type.
func (d declaredEvents) decoders() map[string]bodyDecoder {
	decoders := map[string]bodyDecoder{}
	for _, e := range d {
		if e.Value.decode != nil {
			decoders[e.Name] = e.Value.decode
		}
	}
	return decoders
}

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
	return &object[rawEvent]{check: func(_ *walker, n *yaml.Node, _ string, e *rawEvent) { e.node = n }, fields: []field[rawEvent]{
		of("body", pointer[bodyType]{bodyKind{}}, func(e *rawEvent) **bodyType { return &e.body },
			"Fields of the body with their types: `{name: text, tags: list of text, address: {city: text}, lines: [{sku: text}]}`. "+
				"Expressions that use others, or use them wrongly, are mistakes."),
		of("codec", choice{[]string{"json", "text", "raw"}}, func(e *rawEvent) *string { return &e.codec },
			"How the body is decoded: `text` makes it a text, `raw` bytes.").byDefault("json"),
		of("protobuf", pointer[rawProtobuf]{protobufSpec()}, func(e *rawEvent) **rawProtobuf { return &e.protobuf },
			"The body is this protobuf message. Its fields have the names of the .proto file; enums are text, timestamps times."),
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
