package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// rawUpcast turns one version of an event into the next, as it stands in the file.
type rawUpcast struct {
	from, to rawSchema
	rename   []named[placedText]
	set      []named[expression]
	fallback []named[*yaml.Node]
	remove   []placedText
	node     *yaml.Node
}

// rawSchema is a version of an event type.
type rawSchema struct {
	eventType string
	version   int
}

func upcastSpec() *object[rawUpcast] {
	schema := func(versionDefault string) *object[rawSchema] {
		return &object[rawSchema]{fields: []field[rawSchema]{
			of("type", name{"an event type"}, func(s *rawSchema) *string { return &s.eventType }, "The event type."),
			of("version", integer{min: 1}, func(s *rawSchema) *int { return &s.version }, "Its version.").byDefault(versionDefault),
		}}
	}
	return &object[rawUpcast]{
		fields: []field[rawUpcast]{
			of("from", schema("1"), func(u *rawUpcast) *rawSchema { return &u.from },
				"The events that are changed. The version of an event is the member `version` of its metadata, 1 without it.").required(),
			of("to", schema("that of from, plus 1"), func(u *rawUpcast) *rawSchema { return &u.to },
				"What they are then. The type is that of `from` unless another is given."),
			of("rename", mappingOf[placedText]{item: placed{"a name"}, what: "names of fields"}, func(u *rawUpcast) *[]named[placedText] { return &u.rename },
				"Fields of the body with their new names: `rename: {height: height_m}`."),
			of("set", mappingOf[expression]{item: expressionKind{}, what: "names of fields"}, func(u *rawUpcast) *[]named[expression] { return &u.set },
				"Fields with values from the body as it was: `set: {height_m: body.height_cm / 100}`."),
			of("default", mappingOf[*yaml.Node]{item: anything{}, what: "names of fields"}, func(u *rawUpcast) *[]named[*yaml.Node] { return &u.fallback },
				"Fields with values where there is none: `default: {judges: []}`."),
			of("remove", listOf[placedText]{placed{"the name of a field"}, "one field"}, func(u *rawUpcast) *[]placedText { return &u.remove },
				"Fields to leave out."),
		},
		check: func(w *walker, n *yaml.Node, path string, u *rawUpcast) {
			u.node = n
			if u.from.eventType == "" && !w.failedWithin(path) {
				w.fail(n, join(path, "from"), "type is missing")
			}
			u.from.version = orDefault(u.from.version, 1)
			if u.to.eventType == "" {
				u.to = rawSchema{u.from.eventType, orDefault(u.to.version, u.from.version+1)}
			}
			u.to.version = orDefault(u.to.version, 1)
		},
	}
}

// upcast is an upcast with its expressions compiled.
type upcast struct {
	*rawUpcast
	values   []*program
	defaults map[string]any
}

// compileUpcasts makes the upcasters of a document, nil if it has none.
func (w *walker) compileUpcasts(d *document) *codec.Upcasters {
	if len(d.upcasts) == 0 {
		return nil
	}
	var upcasts []codec.Upcast
	for i := range d.upcasts {
		raw := &d.upcasts[i]
		if raw.node == nil {
			continue
		}
		path := fmt.Sprintf("upcasters[%d]", i)
		if decode := d.events.decoders()[raw.from.eventType]; decode != nil {
			w.fail(raw.node, path, "only bodies in JSON can be upcast, and %q is declared to be something else", raw.from.eventType)
		}
		u := &upcast{rawUpcast: raw, defaults: map[string]any{}}
		for _, s := range raw.set {
			if p := w.compileExpression(s.Value, scope{}); p != nil {
				u.values = append(u.values, p)
			}
		}
		for _, f := range raw.fallback {
			v, err := exact(f.Value)
			if err != nil {
				w.fail(f.node, join(join(path, "default"), f.Name), "%v", err)
			}
			u.defaults[f.Name] = v
		}
		upcasts = append(upcasts, codec.Upcast{
			From: codec.Schema{Type: raw.from.eventType, Version: raw.from.version},
			To:   codec.Schema{Type: raw.to.eventType, Version: raw.to.version},
			Fn:   u.apply,
		})
	}
	if len(w.mistakes) > 0 {
		return nil
	}
	upcasters, err := codec.NewUpcasters(current(upcasts), upcasts)
	if err != nil {
		w.fail(d.upcasts[0].node, "upcasters", "%v", err)
	}
	return upcasters
}

// compileUpcasters gives the projections their upcasters, which are part of their definition.
func (d *document) compileUpcasters(w *walker) {
	u := w.compileUpcasts(d)
	if u == nil {
		return
	}
	for _, p := range d.Projections {
		var prints []string
		for i := range d.upcasts {
			if p.Handles(d.upcasts[i].from.eventType) || p.Handles(d.upcasts[i].to.eventType) {
				prints = append(prints, d.upcasts[i].fingerprint())
			}
		}
		if len(prints) == 0 {
			continue
		}
		slices.Sort(prints)
		p.model.Version(strings.Join(prints, "; "))
		p.sql.version = strings.Join(prints, "; ")
		p.upcasters = u
		p.settings = append(p.settings, projector.WithUpcasters(u))
	}
}

// current returns the versions that chains end in.
func current(upcasts []codec.Upcast) []codec.Schema {
	var ends []codec.Schema
	for _, u := range upcasts {
		goesOn := slices.ContainsFunc(upcasts, func(next codec.Upcast) bool { return next.From == u.To })
		if !goesOn && !slices.Contains(ends, u.To) {
			ends = append(ends, u.To)
		}
	}
	return ends
}

// apply implements Fn of a [codec.Upcast]. Members that are not named stay as they are, byte for byte.
func (u *upcast) apply(data, metadata []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	e := &env{event: &source.Event{Data: data, Metadata: metadata, Type: u.from.eventType}, json: true}
	var err error
	if e.body, err = scan(data, &everything); err != nil {
		return nil, err
	}
	if len(metadata) > 0 {
		if e.metadata, err = scan(metadata, &everything); err != nil {
			return nil, err
		}
	}
	renamed := map[string]json.RawMessage{}
	for _, r := range u.rename {
		if v, ok := members[r.Name]; ok {
			delete(members, r.Name)
			renamed[r.Value.text] = v
		}
	}
	for name, v := range renamed {
		members[name] = v
	}
	for i, s := range u.set {
		v, err := u.values[i].value(e)
		if err == nil {
			members[s.Name], err = json.Marshal(v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	for name, v := range u.defaults {
		if have, ok := members[name]; ok && string(have) != "null" {
			continue
		}
		if members[name], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	for _, r := range u.remove {
		delete(members, r.text)
	}
	return json.Marshal(members)
}

// fingerprint says what the upcast does.
func (u *rawUpcast) fingerprint() string {
	type pair struct{ A, B string }
	var parts []pair
	for _, r := range u.rename {
		parts = append(parts, pair{"rename " + r.Name, r.Value.text})
	}
	for _, s := range u.set {
		parts = append(parts, pair{"set " + s.Name, s.Value.text})
	}
	for _, f := range u.fallback {
		v, _ := exact(f.Value)
		text, _ := json.Marshal(v)
		parts = append(parts, pair{"default " + f.Name, string(text)})
	}
	for _, r := range u.remove {
		parts = append(parts, pair{"remove", r.text})
	}
	slices.SortFunc(parts, func(a, b pair) int { return slices.Compare([]string{a.A, a.B}, []string{b.A, b.B}) })
	return fmt.Sprintf("%v to %v %v", u.from, u.to, parts)
}
