package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

func retentionSpec() *object[projector.Retention] {
	return &object[projector.Retention]{
		fields: []field[projector.Retention]{
			of("age", duration{min: time.Millisecond}, func(r *projector.Retention) *time.Duration { return &r.Age },
				"How long after it was parked an event is dropped: `720h`."),
			of("count", integer{min: 1}, func(r *projector.Retention) *int { return &r.Count },
				"How many are kept; with one more, the oldest is dropped, and `max_parked` is not reached."),
		},
		check: func(w *walker, n *yaml.Node, path string, r *projector.Retention) {
			if *r == (projector.Retention{}) && !w.failedWithin(path) {
				w.fail(n, path, "says nothing: want age or count")
			}
		},
	}
}

// redaction is the path of something that must not be kept.
type redaction struct {
	root string // body or metadata
	path []string
}

// redactionKind is a path such as body.address.street.
type redactionKind struct{}

func (redactionKind) describe() *Description { return &Description{Type: KindText} }

func (redactionKind) read(w *walker, n *yaml.Node, path string, v *redaction) {
	s, ok := scalar(w, n, path, "a path such as body.email")
	if !ok {
		return
	}
	names := strings.Split(s, ".")
	switch {
	case names[0] != "body" && names[0] != "metadata":
		w.fail(n, path, "%q is no path in body or metadata, such as body.email", s)
	case slices.Contains(names, ""):
		w.fail(n, path, "a name in %q is empty", s)
	default:
		*v = redaction{names[0], names[1:]}
	}
}

// redact returns what removes all of that from a parked event.
func redact(all []redaction) func(*checkpoint.Parked) {
	var body, metadata [][]string
	for _, r := range all {
		if r.root == "body" {
			body = append(body, r.path)
		} else {
			metadata = append(metadata, r.path)
		}
	}
	return func(p *checkpoint.Parked) {
		var gone []string
		p.Data = without(p.Data, body, &gone)
		p.Metadata = without(p.Metadata, metadata, &gone)
		for _, text := range gone {
			p.Error = strings.ReplaceAll(p.Error, text, "[redacted]")
		}
	}
}

// without returns JSON without what is at the paths; nothing, if it is no JSON. It adds the texts and numbers that are gone,
// which an error may repeat.
func without(data []byte, paths [][]string, gone *[]string) []byte {
	if len(paths) == 0 || len(data) == 0 {
		return data
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil
	}
	removed := false
	for _, path := range paths {
		if len(path) == 0 {
			return nil
		}
		removed = remove(v, path, gone) || removed
	}
	if !removed {
		return data
	}
	left, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return left
}

// remove takes what is at a path out of objects, and of those in lists. It reports whether there was any.
func remove(v any, path []string, gone *[]string) (removed bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			removed = remove(item, path, gone) || removed
		}
	case map[string]any:
		inner, there := v[path[0]]
		if there && len(path) == 1 {
			delete(v, path[0])
			*gone = append(*gone, leaves(inner)...)
			return true
		}
		return there && remove(inner, path[1:], gone)
	}
	return removed
}

// leaves are the texts and numbers in decoded JSON.
func leaves(v any) (all []string) {
	switch v := v.(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case json.Number:
		return []string{v.String()}
	case []any:
		for _, item := range v {
			all = append(all, leaves(item)...)
		}
	case map[string]any:
		for _, item := range v {
			all = append(all, leaves(item)...)
		}
	}
	return all
}
