package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// Values of `park`.
const (
	parkKey        = "key"
	parkProjection = "projection"
)

// parkKind is what waits behind a parked event.
type parkKind struct{}

func (parkKind) describe() *Description {
	return &Description{Type: KindText, Values: []string{parkKey, parkProjection}}
}

func (parkKind) read(w *walker, n *yaml.Node, path string, v *placedText) {
	v.node = n
	choice{[]string{parkKey, parkProjection}}.read(w, n, path, &v.text)
}

// compileOrder makes the setting for the order of events, and notes mistakes in it.
func (w *walker) compileOrder(raw *named[rawProjection], path string, compilers []*tableCompiler, sql *sqlPart, events declaredEvents) []projector.Setting {
	p := &raw.Value
	switch {
	case p.orderBy != nil && p.park.text == parkProjection:
		w.fail(p.park.node, join(path, "park"), "everything waits behind a parked event, so there is nothing to order by: want order_by or park: projection")
		return nil
	case p.orderBy != nil:
		return w.compileOrderBy(*p.orderBy, compilers, sql, events)
	case p.park.text == parkProjection:
		return []projector.Setting{projector.ParkProjection()}
	}
	if p.park.text == parkKey && len(sql.tables) > 0 {
		w.fail(p.park.node, join(path, "park"), "which rows sql changes is not known, so that an event has no key of its own: want order_by, or park: projection")
		return nil
	}
	if why, at, node := w.crossing(compilers); why != "" && p.park.text == parkKey {
		w.fail(p.park.node, join(path, "park"), "an event of %s (line %d) %s, so that it has no key of its own: want order_by, or park: projection",
			at, node.Line, why)
	}
	return nil
}

// compileOrderBy makes one program for each event type, since each may be declared with another body.
func (w *walker) compileOrderBy(e expression, compilers []*tableCompiler, sql *sqlPart, events declaredEvents) []projector.Setting {
	o := &order{routes: map[string]*orderRoute{}}
	decoders := newDecoders(events.decoders())
	eventTypes := sql.rawTypes()
	for _, c := range compilers {
		for _, on := range c.on {
			eventTypes = append(eventTypes, on.Name)
		}
	}
	for _, eventType := range eventTypes {
		if o.routes[eventType] != nil {
			continue
		}
		p := w.compileExpression(e, scope{body: events.body(eventType)})
		if p == nil {
			return nil
		}
		decoder, uses := decoders.of(eventType)
		uses.add(p)
		o.routes[eventType] = &orderRoute{decoder, p}
	}
	for name := range o.routes {
		if strings.Contains(name, "*") {
			o.patterns = append(o.patterns, name)
		}
	}
	slices.Sort(o.patterns)
	return []projector.Setting{projector.OrderBy(o.key)}
}

// order computes the ordering key of events.
type order struct {
	routes   map[string]*orderRoute // by event type or pattern
	patterns []string
}

type orderRoute struct {
	decoder *readmodel.Decoder[env]
	key     *program
}

var errKeyNothing = errors.New("is nothing")

// key evaluates order_by. An event that no rule takes, which is parked for that, is ordered by its stream.
func (o *order) key(e *source.Event) (string, error) {
	r := o.routes[e.Type]
	for i := 0; r == nil && i < len(o.patterns); i++ {
		if readmodel.Matches(o.patterns[i], e.Type) {
			r = o.routes[o.patterns[i]]
		}
	}
	if r == nil {
		return "stream " + e.Stream, nil
	}
	var in env
	if err := r.decoder.Decode(e, &in); err != nil {
		return "", fmt.Errorf("order_by: %w", err)
	}
	v, err := r.key.value(&in)
	switch v := v.(type) {
	case string:
		return v, err
	case nil:
		if err == nil {
			err = errKeyNothing
		}
		return "", fmt.Errorf("order_by: %s %w", r.key.source, err)
	}
	b, err := json.Marshal(whole(v))
	if err != nil {
		return "", fmt.Errorf("order_by: %w", err)
	}
	return string(b), nil
}

// crossing says why an event of a type has no key of its own, and where; empty if all have.
func (w *walker) crossing(compilers []*tableCompiler) (why, eventType string, node *yaml.Node) {
	key := map[string]string{} // by event type
	for _, c := range compilers {
		for _, o := range c.on {
			for i := range o.Value {
				r := &o.Value[i]
				if c.ownRows(r) {
					continue
				}
				before, seen := key[o.Name]
				switch key[o.Name] = c.oneKey(r); {
				case r.each != nil:
					why = "changes a row for each element of a list"
				case key[o.Name] == "":
					why = "looks at rows with other keys"
				case seen && before != key[o.Name]:
					why = "changes rows with different keys"
				default:
					continue
				}
				return why, join(c.onPath, o.Name), o.node
			}
		}
	}
	return "", "", nil
}

// lintParking warns if events of the projection change rows that are not parked together, and nothing says what follows.
func (w *walker) lintParking(raw *named[rawProjection], compilers []*tableCompiler, sql *sqlPart) {
	p := &raw.Value
	if p.retry != nil && p.retry.Then != projector.ActionPark || p.park.text != "" || p.orderBy != nil {
		return
	}
	if len(sql.raw) > 0 {
		w.warn(sql.raw[0].sql[0].node, sql.raw[0].sqlPath, "which rows sql changes is not known, so an event cannot wait for one row: once one is "+
			"parked, everything waits behind it; say so with park: projection, or say with order_by what events wait for")
		return
	}
	if why, at, node := w.crossing(compilers); why != "" {
		w.warn(node, at, "an event %s, so it cannot wait for one row: once one is parked, everything waits behind it; "+
			"say so with park: projection, or say with order_by what events wait for", why)
	}
}

// oneKey identifies the key of the row that a rule changes: its text and the types of its columns. It is empty if the rule
// may change, or look at, rows of several keys.
func (c *tableCompiler) oneKey(r *rawRule) string {
	key := c.keyText(r)
	if r.each != nil {
		return ""
	}
	for _, l := range r.lookup {
		if i := slices.IndexFunc(c.others, func(t *checkpoint.Table) bool { return t.Name == l.Value.table.text }); i >= 0 &&
			keyID(texts(l.Value.key), c.others[i]) != keyID(key, c.def) {
			return ""
		}
	}
	return keyID(key, c.def)
}

// ownRows reports whether the rows that a rule changes are those of its event alone, since their key holds its id.
func (c *tableCompiler) ownRows(r *rawRule) bool {
	if len(r.lookup) > 0 {
		return false
	}
	return slices.ContainsFunc(c.keyText(r), func(text string) bool { return text == "event.id" || text == "event.position" })
}

func keyID(key []string, t *checkpoint.Table) string {
	var types []string
	for _, name := range t.Key {
		types = append(types, t.Columns[t.Column(name)].Type.String())
	}
	return fmt.Sprint(key, types)
}

// keyText is the key of a rule as it stands in the file.
func (c *tableCompiler) keyText(r *rawRule) []string {
	key := r.key
	if len(key) == 0 && len(r.verbs[verbInsert]) == 0 {
		key = c.key
	}
	text := texts(key)
	for _, name := range c.def.Key {
		for _, column := range r.verbs[verbInsert] {
			if column.Name == name {
				text = append(text, column.Value.text)
			}
		}
	}
	return text
}

func texts(key []expression) []string {
	var texts []string
	for _, e := range key {
		texts = append(texts, strings.TrimSpace(e.text))
	}
	return texts
}
