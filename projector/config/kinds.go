package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// scalar returns the text of a scalar node, or reports that it is none.
func scalar(w *walker, n *yaml.Node, path, want string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		w.fail(n, path, "want %s, got %s", want, nameOf(n))
		return "", false
	}
	return n.Value, true
}

// text is a string in which ${VAR} is expanded.
type text struct {
	what  string // for mistakes: "an address such as 127.0.0.1:9090"
	check func(s string) string
}

func (k text) describe() *Description { return &Description{Type: KindText} }

func (k text) read(w *walker, n *yaml.Node, path string, v *string) {
	want := "text"
	if k.what != "" {
		want = k.what
	}
	s, ok := scalar(w, n, path, want)
	if !ok {
		return
	}
	s, ok = w.expand(n, path, s)
	if !ok {
		return
	}
	if s == "" {
		w.fail(n, path, "want %s, got nothing", want)
		return
	}
	if k.check != nil {
		if problem := k.check(s); problem != "" {
			w.fail(n, path, "%s", problem)
			return
		}
	}
	*v = s
}

// expand replaces ${VAR} by the variable's value, and $${ by ${.
func (w *walker) expand(n *yaml.Node, path, s string) (string, bool) {
	var b strings.Builder
	good := true
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), good
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			w.fail(n, path, "${ is never closed; write $${ for a plain ${")
			return "", false
		}
		value, problem := w.variable(name)
		if problem != "" {
			w.fail(n, path, "%s", problem)
			good = false
		}
		b.WriteString(s[:i] + value)
		s = rest
	}
}

// variable returns what ${name} stands for: an environment variable, or with file: the content of a file.
func (w *walker) variable(name string) (value, problem string) {
	file, isFile := strings.CutPrefix(name, "file:")
	if !isFile {
		value, set := w.lookup(name)
		if !set {
			return "", fmt.Sprintf("environment variable %s is not set", name)
		}
		return value, ""
	}
	data, err := os.ReadFile(w.beside(file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "there is no file " + file
	case err != nil:
		return "", err.Error()
	}
	return strings.TrimRight(string(data), "\r\n"), ""
}

// beside returns a path that is relative to the file being read.
func (w *walker) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(w.file), path)
}

// name is text that is taken as it is.
type name struct{ what string }

func (k name) describe() *Description { return &Description{Type: KindText} }

func (k name) read(w *walker, n *yaml.Node, path string, v *string) {
	s, ok := scalar(w, n, path, k.what)
	if !ok {
		return
	}
	if s == "" {
		w.fail(n, path, "want %s, got nothing", k.what)
		return
	}
	*v = s
}

// pattern is a name, or the start of names with * at its end.
type pattern struct {
	what string
	star bool // * is allowed
}

func (k pattern) describe() *Description { return &Description{Type: KindText} }

func (k pattern) read(w *walker, n *yaml.Node, path string, v *string) {
	var s string
	name{k.what}.read(w, n, path, &s)
	switch i := strings.Index(s, "*"); {
	case i < 0:
	case !k.star:
		w.fail(n, path, "* is not known here; for streams by a pattern: source: {all: {streams: %q}}", s)
		return
	case i < len(s)-1:
		w.fail(n, path, "* may only stand at the end, got %q", s)
		return
	}
	*v = s
}

// choice is one of several words.
type choice struct{ values []string }

func (k choice) describe() *Description { return &Description{Type: KindText, Values: k.values} }

func (k choice) read(w *walker, n *yaml.Node, path string, v *string) {
	s, ok := scalar(w, n, path, oneOf(k.values))
	if !ok {
		return
	}
	if !slices.Contains(k.values, s) {
		w.fail(n, path, "%q is not known%s", s, didYouMean(s, k.values))
		return
	}
	*v = s
}

// boolean is true or false.
type boolean struct{}

func (boolean) describe() *Description { return &Description{Type: KindBool} }

func (boolean) read(w *walker, n *yaml.Node, path string, v *bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		w.fail(n, path, "want true or false, got %s", nameOf(n))
		return
	}
	*v = strings.EqualFold(n.Value, "true")
}

// integer is a whole number within bounds.
type integer struct{ min, max int }

func (integer) describe() *Description { return &Description{Type: KindInt} }

func (k integer) read(w *walker, n *yaml.Node, path string, v *int) {
	i, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
	most := k.max
	if most == 0 {
		most = math.MaxInt
	}
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		w.fail(n, path, "want a whole number, got %s", nameOf(n))
	case i < k.min:
		w.fail(n, path, "must be at least %d, got %d", k.min, i)
	case i > most:
		w.fail(n, path, "must be at most %d, got %d", most, i)
	default:
		*v = i
	}
}

// duration is a time such as 5s.
type duration struct{ min time.Duration }

func (duration) describe() *Description { return &Description{Type: KindDuration} }

func (k duration) read(w *walker, n *yaml.Node, path string, v *time.Duration) {
	if n.Kind != yaml.ScalarNode {
		w.fail(n, path, `want a duration such as "5s", got %s`, nameOf(n))
		return
	}
	d, err := parseDuration(n.Value)
	if err != nil {
		hint := ""
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			hint = `; did you mean "` + n.Value + `s"?`
		}
		w.fail(n, path, `want a duration such as "5s", "100ms" or "1h30m", got %q%s`, n.Value, hint)
		return
	}
	if d < k.min {
		w.fail(n, path, "must be at least %v, got %v", k.min, d)
		return
	}
	*v = d
}

// parseDuration takes days too, of 24 hours: 90d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	n, err := strconv.ParseUint(days, 10, 16)
	if !found || err != nil {
		return time.ParseDuration(text)
	}
	d := time.Duration(n) * 24 * time.Hour
	if d/(24*time.Hour) != time.Duration(n) {
		return 0, fmt.Errorf("%s is too long", text)
	}
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

// listOf is a list, or one item that stands for a list of one.
type listOf[V any] struct {
	item kind[V]
	what string // an item, for mistakes
}

func (k listOf[V]) describe() *Description {
	item := k.item.describe()
	return &Description{Type: KindList, Item: item}
}

func (k listOf[V]) read(w *walker, n *yaml.Node, path string, v *[]V) {
	items := n.Content
	if n.Kind != yaml.SequenceNode {
		items = []*yaml.Node{n}
	}
	if len(items) == 0 {
		w.fail(n, path, "the list is empty: want at least %s", k.what)
	}
	for i, item := range items {
		at := path
		if n.Kind == yaml.SequenceNode {
			at = path + "[" + strconv.Itoa(i) + "]"
		}
		var one V
		k.item.read(w, w.resolve(item), at, &one)
		*v = append(*v, one)
	}
}

// pointer is a value that may be absent.
type pointer[V any] struct{ kind kind[V] }

func (k pointer[V]) describe() *Description { return k.kind.describe() }

func (k pointer[V]) read(w *walker, n *yaml.Node, path string, v **V) {
	*v = new(V)
	k.kind.read(w, n, path, *v)
}

// named is a value with the key it stands under.
type named[V any] struct {
	Name  string
	Value V
	node  *yaml.Node // of the name
}

// mappingOf is a mapping with free keys, kept in order.
type mappingOf[V any] struct {
	item kind[V]
	what string // the keys, for mistakes: "names of columns"
}

func (k mappingOf[V]) describe() *Description {
	return &Description{Type: KindMapping, Item: k.item.describe(), Doc: k.what}
}

func (k mappingOf[V]) read(w *walker, n *yaml.Node, path string, v *[]named[V]) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "want a mapping with %s, got %s", k.what, nameOf(n))
		return
	}
	for _, e := range w.entries(n, path) {
		if e.key.Value == "" {
			w.fail(e.key, path, "a key is empty: want %s", k.what)
			continue
		}
		one := named[V]{Name: e.key.Value, node: e.key}
		w.value(e, join(path, e.key.Value), func(n *yaml.Node, p string) { k.item.read(w, n, p, &one.Value) })
		*v = append(*v, one)
	}
}

// word is one of several words that stand for values.
type word[V any] struct{ values map[string]V }

func (k word[V]) names() []string { return slices.Sorted(maps.Keys(k.values)) }

func (k word[V]) describe() *Description { return &Description{Type: KindText, Values: k.names()} }

func (k word[V]) read(w *walker, n *yaml.Node, path string, v *V) {
	var s string
	choice{k.names()}.read(w, n, path, &s)
	*v = k.values[s]
}
