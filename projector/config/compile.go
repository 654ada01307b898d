package config

import (
	"encoding/json"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// compile makes the projections of a document that was read, and notes what does not fit together.
func (w *walker) compile(d *document) {
	d.events.compile(w)
	tables := map[string]string{} // by projection
	for i := range d.projections {
		raw := &d.projections[i]
		path := join("projections", raw.Name)
		p := &Projection{Name: raw.Name, Source: raw.Value.source, settings: raw.Value.settings(), retry: orRetry(raw.Value.retry)}
		var compilers []*tableCompiler
		decoders := newDecoders(d.events.decoders())
		p.sql = &sqlPart{projection: raw.Name}
		for _, t := range w.tables(raw, path) {
			if other, taken := tables[t.name]; taken {
				w.fail(t.node, t.path, "table %q is already written by projection %q", t.name, other)
			}
			tables[t.name] = raw.Name
			def := w.define(t)
			p.order = append(p.order, t.name)
			if len(t.sql) > 0 {
				p.sql.add(w, t, def)
				continue
			}
			compilers = append(compilers, &tableCompiler{
				walker: w, placedTable: t, def: def, decoders: decoders, events: d.events, counters: make([]bool, len(def.Columns)), changed: make([]bool, len(def.Columns)),
			})
		}
		var defs []*checkpoint.Table
		for _, c := range compilers {
			defs = append(defs, c.def)
		}
		var models []*readmodel.Model
		for _, c := range compilers {
			c.others = defs
			c.lintTable(&p.Source)
			c.lintOrder(&p.Source)
			if m := c.compileTable(); m != nil {
				models = append(models, m)
			}
		}
		p.group = w.compileGroup(&raw.Value, path)
		if p.Source.Group == nil {
			w.lintParking(raw, compilers, p.sql)
		}
		p.settings = append(p.settings, w.compileOrder(raw, path, compilers, p.sql, d.events)...)
		p.settings = append(p.settings, w.compileShards(&raw.Value, path, compilers, p.sql)...)
		p.model = readmodel.Join(models...)
		if raw.Value.cache != nil {
			p.model.CacheRows(*raw.Value.cache)
		}
		d.Projections = append(d.Projections, p)
	}
	w.compileSQL(d)
}

// placedTable is a table with its place in the file.
type placedTable struct {
	*rawTable
	path    string
	onPath  string // of `on`
	sqlPath string // of `sql`
}

// tables returns the tables of a projection: that of `table`, or those of `tables`.
func (w *walker) tables(raw *named[rawProjection], path string) []placedTable {
	p := &raw.Value
	if p.node == nil {
		return nil // its mistake is noted already
	}
	switch {
	case p.table != nil && len(p.tables) > 0:
		w.fail(p.node, path, "has table and tables: want one or the other")
		return nil
	case p.table != nil:
		t := p.table
		if t.name = orDefault(t.name, raw.Name); t.node == nil {
			return nil
		}
		t.key, t.on, t.sql = p.key, p.on, p.sql
		w.oneOfOnAndSQL(t, p.node, path)
		return []placedTable{{t, join(path, "table"), join(path, "on"), join(path, "sql")}}
	case len(p.tables) == 0:
		if !w.failedWithin(join(path, "table")) && !w.failedWithin(join(path, "tables")) {
			w.fail(p.node, path, "table is missing: the table that is kept up to date")
		}
		return nil
	case len(p.on) > 0:
		w.fail(p.node, join(path, "on"), "with several tables, each has its own on")
		return nil
	case len(p.sql) > 0:
		w.fail(p.node, join(path, "sql"), "with several tables, each has its own sql")
		return nil
	}
	var tables []placedTable
	for i := range p.tables {
		t := &p.tables[i].Value
		if t.name = p.tables[i].Name; t.node == nil {
			continue
		}
		at := join(join(path, "tables"), t.name)
		w.oneOfOnAndSQL(t, t.node, at)
		if len(t.key) == 0 && len(t.sql) == 0 {
			t.key = p.key
		}
		tables = append(tables, placedTable{t, at, join(at, "on"), join(at, "sql")})
	}
	return tables
}

// oneOfOnAndSQL checks that a table is written in one way. path is of the mapping that has on and sql.
func (w *walker) oneOfOnAndSQL(t *rawTable, n *yaml.Node, path string) {
	switch {
	case len(t.on) > 0 && len(t.sql) > 0:
		w.fail(n, path, "has on and sql: a table is written by one or the other; put the other in a table of its own, under tables")
	case len(t.on) == 0 && len(t.sql) == 0 && !w.failedWithin(join(path, "on")) && !w.failedWithin(join(path, "sql")):
		w.fail(n, path, "on is missing: what do events do to the row?")
	case len(t.sql) > 0 && len(t.key) > 0:
		w.fail(t.key[0].node, join(path, "key"), "a table with sql has no key: its statements say which rows they change")
	}
}

// compileTable makes the model of a table; nil after it has noted a mistake.
func (c *tableCompiler) compileTable() *readmodel.Model {
	for _, column := range c.def.Columns {
		c.names = append(c.names, column.Name)
	}
	// The order of rules for one event is that of their types, so that it does not depend on the order in the file.
	on := slices.Clone(c.on)
	slices.SortStableFunc(on, func(a, b named[[]rawRule]) int { return strings.Compare(a.Name, b.Name) })
	var rules []readmodel.DynamicRule[env]
	for _, o := range on {
		for i := range o.Value {
			if r := c.rule(o.Name, i, &o.Value[i]); r != nil {
				rules = append(rules, *r)
			}
		}
	}
	c.defaults()
	if len(c.mistakes) > 0 {
		return nil
	}
	m, err := readmodel.Dynamic(readmodel.DynamicTable[env]{Table: c.def, Rules: rules, Untouched: c.untouched()})
	if err != nil {
		c.fail(c.node, c.path, "%v", err)
		return nil
	}
	return m
}

// define makes the description of the table.
func (w *walker) define(t placedTable) *checkpoint.Table {
	def := &checkpoint.Table{Name: t.name}
	names := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		names = append(names, c.Name)
		def.Columns = append(def.Columns, checkpoint.Column{Name: c.Name, Type: c.Value.typ, NotNull: c.Value.notNull})
	}
	for i, k := range t.primaryKey {
		at := def.Column(k.text)
		switch {
		case k.text == "":
		case at < 0:
			w.fail(k.node, join(t.path, "primary_key"), "%q is no column%s", k.text, didYouMean(k.text, names))
		case slices.Contains(def.Key, k.text):
			w.fail(k.node, join(t.path, "primary_key"), "names %q twice", k.text)
		case def.Columns[at].Type.List || def.Columns[at].Type.Base == checkpoint.JSON || def.Columns[at].Type.Base == checkpoint.Decimal:
			w.fail(t.primaryKey[i].node, join(t.path, "primary_key"), "column %q of type %v cannot be part of the key", k.text, def.Columns[at].Type)
		default:
			def.Columns[at].NotNull = true
			def.Key = append(def.Key, k.text)
		}
	}
	for _, ix := range t.indexes {
		index := checkpoint.Index{Unique: ix.unique}
		for _, c := range ix.columns {
			if def.Column(c.text) < 0 && c.text != "" {
				w.fail(c.node, join(t.path, "indexes"), "%q is no column%s", c.text, didYouMean(c.text, names))
			}
			index.Columns = append(index.Columns, c.text)
		}
		def.Indexes = append(def.Indexes, index)
	}
	w.definePrune(t, def, names)
	return def
}

// definePrune describes which rows are too old.
func (w *walker) definePrune(t placedTable, def *checkpoint.Table, names []string) {
	p := t.prune
	if p == nil || p.node == nil || p.olderThan == 0 || p.by.text == "" {
		return // there is none, or its mistake is noted already
	}
	path := join(t.path, "prune")
	switch i := def.Column(p.by.text); {
	case len(t.sql) > 0:
		w.fail(p.node, path, "the rows of a table with sql are known to its statements only: DELETE FROM %s WHERE %s < :at", t.name, p.by.text)
	case i < 0:
		w.fail(p.by.node, join(path, "by"), "%q is no column%s", p.by.text, didYouMean(p.by.text, names))
	case def.Columns[i].Type.Base == 0:
	case def.Columns[i].Type != checkpoint.Type{Base: checkpoint.Time}:
		w.fail(p.by.node, join(path, "by"), "column %q is of type %v: want one of type time", p.by.text, def.Columns[i].Type)
	default:
		def.Prune = &checkpoint.Prune{Column: p.by.text, OlderThan: p.olderThan}
		def.IndexPrune()
	}
}

// untouched returns the columns that no rule changes.
func (c *tableCompiler) untouched() []string {
	var names []string
	for i, changed := range c.changed {
		if name := c.def.Columns[i].Name; !changed && !slices.Contains(c.def.Key, name) {
			names = append(names, name)
		}
	}
	return names
}

// defaults notes what a new row holds.
func (c *tableCompiler) defaults() {
	for i := range c.def.Columns {
		column := &c.def.Columns[i]
		n := c.columns[i].Value.fallback
		switch {
		case n == nil && c.counters[i]:
			column.Default = c.converted(column, int64(0))
		case n != nil:
			column.Default = c.literal(n, column)
		}
	}
}

// literal reads a default from YAML.
func (c *tableCompiler) literal(n *yaml.Node, column *checkpoint.Column) any {
	path := join(join(join(c.path, "columns"), column.Name), "default")
	v, err := plain(n)
	if err != nil {
		c.fail(n, path, "%v", err)
		return nil
	}
	if slices.Contains(c.def.Key, column.Name) {
		c.fail(n, path, "a column of the primary key is filled from the key and has no default")
		return nil
	}
	if _, err := readmodel.Convert(column.Type, v); err != nil && column.Type.Base != 0 {
		c.fail(n, path, "column of type %v cannot hold %s: %v", column.Type, nameOf(n), err)
	}
	return c.converted(column, v)
}

// converted returns a value as the column holds it, nil if it cannot, which is noted elsewhere.
func (*tableCompiler) converted(column *checkpoint.Column, v any) any {
	v, err := readmodel.Convert(column.Type, v)
	if err != nil {
		return nil
	}
	return v
}

// plain returns the value of a node as decoded JSON would have it.
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = plain(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = v
		}
		return object, nil
	}
	switch n.Tag {
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return numberOf([]byte(n.Value), n.Tag == "!!int")
		}
		var v any
		err := n.Decode(&v) // 0x10, 1_000
		return v, err
	case "!!bool", "!!null":
		var v any
		err := n.Decode(&v)
		return v, err
	}
	return n.Value, nil
}
