package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// tableCompiler compiles the rules of one table.
type tableCompiler struct {
	*walker
	placedTable
	def      *checkpoint.Table
	others   []*checkpoint.Table // of the projection, for lookups
	names    []string            // of columns
	decoders *decoders
	events   declaredEvents
	counters []bool // columns that a rule increments
	changed  []bool // columns that a rule changes
}

// ruleCompiler compiles one rule.
type ruleCompiler struct {
	*tableCompiler
	raw    *rawRule
	path   string
	uses   *uses
	atKey  scope // while the key is made
	atRow  scope // while the row is changed
	broken bool
	whole  string // columns of rows that are used as a whole
}

// rule compiles the i-th rule of an event type; nil after it has noted a mistake.
func (c *tableCompiler) rule(eventType string, i int, raw *rawRule) *readmodel.DynamicRule[env] {
	if raw.node == nil {
		return nil // its mistake is noted already
	}
	before := len(c.mistakes)
	decoder, uses := c.decoders.of(eventType)
	rc := &ruleCompiler{tableCompiler: c, raw: raw, path: join(c.onPath, eventType), uses: uses}
	rc.atKey = scope{body: c.events.body(eventType), item: raw.each != nil}
	rc.atRow = rc.atKey
	rc.atRow.table = c.def
	r := &compiledRule{def: c.def, deletes: raw.delete, inserts: len(raw.verbs[verbInsert]) > 0}
	lookups := rc.lookups(r)
	keys := rc.keys(r)
	for v, columns := range raw.verbs {
		for _, column := range columns {
			rc.action(r, verb(v), column)
		}
	}
	if rc.broken || len(c.mistakes) > before {
		return nil
	}
	slices.SortFunc(r.actions, func(a, b action) int { return cmp.Compare(a.column, b.column) })
	dynamic := &readmodel.DynamicRule[env]{
		EventType: eventType, Fingerprint: fmt.Sprint(i, " ", keys.fingerprint(), r.fingerprint(), rc.whole),
		Decoder: decoder, Keys: keys.yield, Lookups: lookups, Blind: r.inserts && r.when == nil && !keys.late, Apply: r.apply,
	}
	if dynamic.OwnRows = c.ownRows(raw); !dynamic.OwnRows {
		dynamic.OneKey = c.oneKey(raw)
	}
	if keys.late {
		dynamic.LateKey = keys.lateKey
	}
	return dynamic
}

// compile compiles an expression of the rule.
func (c *ruleCompiler) compile(e expression, s scope) *program {
	p := c.compileExpression(e, s)
	if p == nil {
		c.broken = true
		return nil
	}
	c.uses.add(p)
	for _, l := range append(s.lookups, lookedUp{"row", s.table}) {
		if p.whole[l.name] > 0 && l.table != nil {
			c.whole += fmt.Sprint("all of ", l.table.Columns, " ")
		}
	}
	return p
}

// lookups compiles the lookups, and makes their names known where the row is changed.
func (c *ruleCompiler) lookups(r *compiledRule) []readmodel.Lookup[env] {
	var lookups []readmodel.Lookup[env]
	for _, l := range c.raw.lookup {
		at := join(join(c.path, "lookup"), l.Name)
		if l.Value.node == nil || l.Value.table.text == "" || len(l.Value.key) == 0 {
			c.broken = true // its mistake is noted already
			continue
		}
		i := slices.IndexFunc(c.others, func(t *checkpoint.Table) bool { return t.Name == l.Value.table.text })
		switch {
		case slices.Contains(append(c.atRow.names(), "item"), l.Name):
			c.fail(l.node, at, "the name %q has a meaning already", l.Name)
			continue
		case !isIdentifier(l.Name):
			c.fail(l.node, at, "%q is no name that an expression can use: want letters, digits and _", l.Name)
			continue
		case i < 0:
			c.fail(l.Value.table.node, join(at, "table"), "the projection has no table %q%s", l.Value.table.text, didYouMean(l.Value.table.text, tableNames(c.others)))
			c.broken = true
			continue
		}
		table := c.others[i]
		key := c.key(l.Value.key, table, join(at, "key"), c.atKey)
		lookups = append(lookups, readmodel.Lookup[env]{Table: table, Key: func(e *env, item any) ([]any, error) {
			e.item = item
			return evaluate(key, e, nil)
		}})
		r.lookups = append(r.lookups, lookedUp{l.Name, table})
		r.lookupPrint += fmt.Sprintf("lookup %s %s %s ", l.Name, table.Name, sources(key))
		c.atRow.lookups = append(c.atRow.lookups, lookedUp{l.Name, table})
	}
	return lookups
}

func isIdentifier(s string) bool { return plainWord.MatchString(s) && !strings.ContainsAny(s, " -") }

func tableNames(tables []*checkpoint.Table) []string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	return names
}

// keys compiles what tells which rows an event changes. A condition that does not look at rows is decided here, so that
// an event which does not meet it loads nothing.
func (c *ruleCompiler) keys(r *compiledRule) *keyMaker {
	k := &keyMaker{lookups: r.lookups}
	defer c.when(k, r)
	if each := c.raw.each; each != nil {
		s := c.atKey
		s.item = false
		if k.each = c.compile(*each, s); k.each != nil && k.each.typ != nil && k.each.typ.Kind() != reflect.Slice && k.each.typ.Kind() != reflect.Array {
			c.fail(each.node, each.path, "want a list, such as body.lines; this is %s", typeName(k.each.typ))
		}
	}
	if r.inserts {
		k.key = c.insertKey()
		return k.finish()
	}
	key, node, at := c.raw.key, c.raw.node, join(c.path, "key")
	if len(key) == 0 {
		key, node, at = c.placedTable.key, c.node, join(strings.TrimSuffix(c.placedTable.path, ".table"), "key")
	}
	if len(key) == 0 {
		if !c.failedWithin(at) && len(c.def.Key) > 0 {
			c.fail(node, strings.TrimSuffix(at, ".key"), "key is missing: an expression for each column of primary_key (%s)", strings.Join(c.def.Key, ", "))
		}
		c.broken = true
		return k
	}
	s := c.atKey
	s.lookups = r.lookups
	k.key = c.key(key, c.def, at, s)
	return k.finish()
}

// finish finds out whether the key depends on lookups.
func (k *keyMaker) finish() *keyMaker {
	k.late = slices.ContainsFunc(k.key, k.looks)
	return k
}

// looks reports whether a program uses a lookup.
func (k *keyMaker) looks(p *program) bool {
	return p != nil && slices.ContainsFunc(k.lookups, func(l lookedUp) bool { return p.uses(l.name) })
}

// when compiles the condition, which is decided as early as it can be: an event that does not meet it loads nothing.
func (c *ruleCompiler) when(k *keyMaker, r *compiledRule) {
	when := c.raw.when
	if when == nil {
		return
	}
	p := c.compile(*when, c.atRow)
	if p == nil {
		return
	}
	if p.typ != nil && p.typ.Kind() != reflect.Bool {
		c.fail(when.node, when.path, "want true or false, such as body.amount > 100; this is %s", typeName(p.typ))
	}
	switch {
	case p.uses("row"), p.uses("exists"), k.looks(p) && !k.late:
		r.when = p
	case k.looks(p):
		k.lateWhen = p
	default:
		k.when = p
	}
}

// key compiles a key of a table.
func (c *ruleCompiler) key(key []expression, table *checkpoint.Table, path string, s scope) []*program {
	if table == c.def && len(c.def.Key) != len(c.primaryKey) || len(table.Key) == 0 {
		c.broken = true // a mistake in primary_key is noted already
		return nil
	}
	if len(key) != len(table.Key) {
		c.failOnce(key[0].node, path, "want an expression for each column of primary_key (%s), got %d", strings.Join(table.Key, ", "), len(key))
		c.broken = true
		return nil
	}
	programs := make([]*program, len(key))
	for i, e := range key {
		programs[i] = c.compile(e, s)
		c.fits(programs[i], e, table.Columns[table.Column(table.Key[i])])
	}
	return programs
}

// insertKey takes the key from the columns that are inserted.
func (c *ruleCompiler) insertKey() []*program {
	var programs []*program
	for _, name := range c.def.Key {
		columns := c.raw.verbs[verbInsert]
		i := slices.IndexFunc(columns, func(n named[expression]) bool { return n.Name == name })
		if i < 0 {
			c.fail(c.raw.node, join(c.path, "insert"), "column %q of the primary key is missing", name)
			c.broken = true
			continue
		}
		s := c.atKey
		s.lookups = c.atRow.lookups
		programs = append(programs, c.compile(columns[i].Value, s))
	}
	return programs
}

// action compiles one verb for one column.
func (c *ruleCompiler) action(r *compiledRule, v verb, raw named[expression]) {
	at := join(join(c.path, v.String()), raw.Name)
	i := c.def.Column(raw.Name)
	if i < 0 {
		c.fail(raw.node, at, "table %q has no column %q%s", c.def.Name, raw.Name, didYouMean(raw.Name, c.names))
		return
	}
	column := c.def.Columns[i]
	isKey := slices.Contains(c.def.Key, raw.Name)
	var problem string
	switch {
	case column.Type.Base == 0: // its mistake is noted already
		c.broken = true
		return
	case isKey && v == verbInsert:
		s := c.atRow
		s.table = nil
		c.fits(c.compile(raw.Value, s), raw.Value, column)
		return
	case isKey:
		problem = "a column of the primary key is filled from the key and cannot be changed"
	case slices.ContainsFunc(r.actions, func(a action) bool { return a.column == i }):
		problem = fmt.Sprintf("column %q is changed twice by one rule", raw.Name)
	default:
		problem = v.refuses(column.Type)
	}
	if problem != "" {
		c.fail(raw.node, at, "%s", problem)
		return
	}
	scope := c.atRow
	if r.inserts && r.when == nil {
		scope.table = nil // the row is not looked at
	}
	p := c.compile(raw.Value, scope)
	if v != verbAppend && v != verbMerge {
		c.fits(p, raw.Value, column)
	}
	if p != nil && p.body != nil && column.Type == (checkpoint.Type{Base: checkpoint.Decimal}) {
		p.eval = exactly(p.body, p.eval)
	}
	if v == verbIncrement {
		c.counters[i] = true
	}
	c.changed[i] = true
	r.actions = append(r.actions, action{verb: v, column: i, value: p})
}

// refuses says why a verb cannot change columns of a type; empty if it can.
func (v verb) refuses(t checkpoint.Type) string {
	isJSON := t == checkpoint.Type{Base: checkpoint.JSON}
	switch {
	case v == verbIncrement && !readmodel.Numeric(t):
		return fmt.Sprintf("column of type %v cannot be incremented: want int, float or decimal", t)
	case (v == verbMax || v == verbMin) && !readmodel.Ordered(t):
		return fmt.Sprintf("values of type %v have no order", t)
	case v == verbAppend && !t.List && !isJSON:
		return fmt.Sprintf("column of type %v cannot be appended to: want a list or json", t)
	case v == verbMerge && !isJSON:
		return fmt.Sprintf("column of type %v cannot be merged into: want json", t)
	}
	return ""
}

// failOnce notes a mistake unless there is one at the path already: a key may be used by several rules.
func (w *walker) failOnce(n *yaml.Node, path, format string, args ...any) {
	if !w.failedWithin(path) {
		w.fail(n, path, format, args...)
	}
}
