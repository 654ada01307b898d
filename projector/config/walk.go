package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// walker goes through a document and gathers what is wrong with it.
type walker struct {
	file     string
	lookup   func(name string) (string, bool) // of variables
	mistakes Mistakes
	warnings Mistakes
	nodes    int      // visited
	lines    []string // of the file
}

// maxNodes bounds a document with its aliases expanded.
const maxNodes = 1_000_000

// fail notes a mistake at a node.
func (w *walker) fail(n *yaml.Node, path, format string, args ...any) {
	w.failAt(n.Line, n.Column, path, format, args...)
}

func (w *walker) failAt(line, column int, path, format string, args ...any) {
	w.mistakes = append(w.mistakes, &Mistake{
		File: w.file, Line: line, Column: column, Path: path, Problem: fmt.Sprintf(format, args...),
	})
}

// resolve follows aliases.
func (w *walker) resolve(n *yaml.Node) *yaml.Node {
	w.nodes++
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entry is a key of a mapping with its value.
type entry struct {
	key   *yaml.Node
	value *yaml.Node
}

// entries returns the entries of a mapping in order, with merged ones (<<) at the end. It reports repeated keys.
func (w *walker) entries(n *yaml.Node, path string) []entry {
	var own, merged []entry
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, w.merge(value, path)...)
		case key.Kind != yaml.ScalarNode:
			w.fail(key, path, "a key must be a plain word")
		case first[key.Value] != nil:
			w.fail(key, join(path, key.Value), "given twice, first in line %d", first[key.Value].Line)
		default:
			first[key.Value] = key
			own = append(own, entry{key, value})
		}
	}
	for _, e := range merged {
		if first[e.key.Value] == nil {
			first[e.key.Value] = e.key
			own = append(own, e)
		}
	}
	return own
}

func (w *walker) merge(n *yaml.Node, path string) []entry {
	n = w.resolve(n)
	switch {
	case w.nodes > maxNodes:
		return nil
	case n.Kind == yaml.MappingNode:
		return w.entries(n, path)
	case n.Kind == yaml.SequenceNode:
		var all []entry
		for _, item := range n.Content {
			all = append(all, w.merge(item, path)...)
		}
		return all
	}
	w.fail(n, path, "<< wants an alias of a mapping")
	return nil
}

// join makes the path of a key.
func join(path, key string) string {
	if strings.ContainsAny(key, ". ") {
		key = fmt.Sprintf("%q", key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// kind reads one kind of value, and knows how to describe it.
type kind[V any] interface {
	// read stores what n says in v, or reports why it cannot. n is no alias.
	read(w *walker, n *yaml.Node, path string, v *V)
	// describe says what is allowed.
	describe() *Description
}

// Description says what a value may be. The JSON Schema and the reference are made from it.
type Description struct {
	Type   Kind
	Doc    string             // of an object, or what the keys of a mapping are
	Values []string           // if only these are allowed
	Fields []FieldDescription // of an object
	Item   *Description       // of a list or a mapping
	Or     []*Description     // alternatives
}

// Kind names the kinds of values.
type Kind string

// The kinds of values.
const (
	KindText       Kind = "text"
	KindBool       Kind = "bool"
	KindInt        Kind = "int"
	KindDuration   Kind = "duration"
	KindExpression Kind = "expression"
	KindColumnType Kind = "type"
	KindList       Kind = "list"    // of Item; one item may stand for a list of one
	KindRows       Kind = "rows"    // a list of Item that may be empty
	KindMapping    Kind = "mapping" // of free keys to Item
	KindObject     Kind = "object"  // of known keys, Fields
	KindOr         Kind = "or"      // one of Or
	KindBody       Kind = "body"    // the declaration of a body
	KindAny        Kind = "any"
)

// FieldDescription is one key of an object.
type FieldDescription struct {
	Name     string
	Doc      string // Markdown
	Default  string // as written in YAML; empty = none
	Required bool
	Value    *Description
}

// field is one key of an object that is read into a T.
type field[T any] struct {
	FieldDescription
	read func(w *walker, n *yaml.Node, path string, t *T)
}

// of makes a field from the kind of its value and where it goes.
func of[T, V any](name string, k kind[V], at func(t *T) *V, doc string) field[T] {
	return field[T]{
		FieldDescription: FieldDescription{Name: name, Doc: doc, Value: k.describe()},
		read:             func(w *walker, n *yaml.Node, path string, t *T) { k.read(w, n, path, at(t)) },
	}
}

func (f field[T]) required() field[T] { f.Required = true; return f }

func (f field[T]) byDefault(text string) field[T] { f.Default = text; return f }

// object is a mapping with known keys.
type object[T any] struct {
	doc    string
	fields []field[T]
	// check looks at the whole; it may be nil.
	check func(w *walker, n *yaml.Node, path string, t *T)
	// extensions allows keys that begin with x-.
	extensions bool
}

func (o *object[T]) describe() *Description {
	d := &Description{Type: KindObject, Doc: o.doc}
	for _, f := range o.fields {
		d.Fields = append(d.Fields, f.FieldDescription)
	}
	return d
}

func (o *object[T]) names() []string {
	names := make([]string, len(o.fields))
	for i, f := range o.fields {
		names[i] = f.Name
	}
	return names
}

func (o *object[T]) read(w *walker, n *yaml.Node, path string, t *T) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "want a mapping with %s, got %s", oneOf(o.names()), nameOf(n))
		return
	}
	seen := map[string]bool{}
	for _, e := range w.entries(n, path) {
		name := e.key.Value
		i := slices.IndexFunc(o.fields, func(f field[T]) bool { return f.Name == name })
		switch {
		case i < 0 && o.extensions && strings.HasPrefix(name, "x-"):
		case i < 0:
			w.fail(e.key, join(path, name), "unknown key%s", didYouMean(name, o.names()))
			seen[Nearest(name, o.names())] = true
		default:
			seen[name] = true
			w.value(e, join(path, name), func(v *yaml.Node, p string) { o.fields[i].read(w, v, p, t) })
		}
	}
	for _, f := range o.fields {
		if f.Required && !seen[f.Name] {
			w.fail(n, path, "%s is missing: %s", f.Name, brief(f.Doc))
		}
	}
	if o.check != nil {
		o.check(w, n, path, t)
	}
}

// brief is the first sentence of a documentation, for use within another.
func brief(doc string) string {
	sentence, _, _ := strings.Cut(doc, ". ")
	sentence = strings.TrimSuffix(sentence, ".")
	return strings.ToLower(sentence[:1]) + sentence[1:]
}

// value reads the value of an entry. One that is empty is a mistake, since it is most often a wrong indentation.
func (w *walker) value(e entry, path string, read func(n *yaml.Node, path string)) {
	v := w.resolve(e.value)
	if w.nodes > maxNodes {
		return
	}
	if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
		w.fail(e.key, path, "has no value")
		return
	}
	read(v, path)
}

// nameOf names a node for people.
func nameOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	const most = 40
	if len(n.Value) > most {
		return fmt.Sprintf("%q…", n.Value[:most])
	}
	return fmt.Sprintf("%q", n.Value)
}
