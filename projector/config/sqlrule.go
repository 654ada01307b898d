package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
)

// rawSQL is what an event does to a table by SQL, as it stands in the file.
type rawSQL struct {
	when, each *expression
	statement  rawStatement
	params     []named[rawParam]
	node       *yaml.Node
}

// rawStatement is the same in the SQL of each database; a node is nil where it is not given.
type rawStatement struct{ sqlite, postgres *yaml.Node }

// rawParam is the value of a parameter.
type rawParam struct {
	value expression
	typ   checkpoint.Type // zero = that of the column of its name
}

func sqlSpec() mappingOf[[]rawSQL] {
	return mappingOf[[]rawSQL]{item: listOf[rawSQL]{sqlRuleSpec(), "one rule"}, what: "event types"}
}

func sqlRuleSpec() *object[rawSQL] {
	return &object[rawSQL]{
		check: func(_ *walker, n *yaml.Node, _ string, r *rawSQL) { r.node = n },
		fields: []field[rawSQL]{
			of("when", pointer[expression]{expressionKind{}}, func(r *rawSQL) **expression { return &r.when },
				"Only if this is true. There is no `row`: what the table holds is a matter for the statement."),
			of("each", pointer[expression]{expressionKind{}}, func(r *rawSQL) **expression { return &r.each },
				"Once for each element of a list, which is `item` in `params`."),
			of("statement", statementKind{}, func(r *rawSQL) *rawStatement { return &r.statement },
				"An `INSERT`, `UPDATE`, `DELETE`, … or several with `;` between them, with values as `:name`. They may write the tables of the "+
					"projection that have `sql`, and no others; nor may they read those that have `on`.").required(),
			of("params", mappingOf[rawParam]{item: paramKind{}, what: "names of parameters"}, func(r *rawSQL) *[]named[rawParam] { return &r.params },
				"An expression for each `:name`, `params: {name: body.name}`. It has the type of the table's column of that name; if there is "+
					"none, say one for all but numbers and plain text: `{at: {value: body.at, type: time}}`."),
		},
	}
}

// statementKind is a text, or one for each kind of database.
type statementKind struct{}

func statementSpec() *object[rawStatement] {
	return &object[rawStatement]{fields: []field[rawStatement]{
		of("sqlite", placedNode{}, func(s *rawStatement) **yaml.Node { return &s.sqlite }, "For SQLite."),
		of("postgres", placedNode{}, func(s *rawStatement) **yaml.Node { return &s.postgres }, "For Postgres."),
	}}
}

func (statementKind) describe() *Description {
	return &Description{Type: KindOr, Or: []*Description{placedNode{}.describe(), statementSpec().describe()}}
}

func (statementKind) read(w *walker, n *yaml.Node, path string, v *rawStatement) {
	if n.Kind == yaml.MappingNode {
		statementSpec().read(w, n, path, v)
		return
	}
	placedNode{}.read(w, n, path, &v.sqlite)
	v.postgres = v.sqlite
}

// placedNode is text that is looked at later.
type placedNode struct{}

func (placedNode) describe() *Description { return &Description{Type: KindText} }

func (placedNode) read(w *walker, n *yaml.Node, path string, v **yaml.Node) {
	if _, ok := scalar(w, n, path, "a statement such as INSERT INTO visits (name) VALUES (:name)"); ok {
		*v = n
	}
}

// paramKind is an expression, or a mapping with its type.
type paramKind struct{}

func paramSpec() *object[rawParam] {
	return &object[rawParam]{fields: []field[rawParam]{
		of("value", expressionKind{}, func(p *rawParam) *expression { return &p.value }, "The value.").required(),
		of("type", typeKind{}, func(p *rawParam) *checkpoint.Type { return &p.typ }, "Its type."),
	}}
}

func (paramKind) describe() *Description {
	return &Description{Type: KindOr, Or: []*Description{expressionKind{}.describe(), paramSpec().describe()}}
}

func (paramKind) read(w *walker, n *yaml.Node, path string, v *rawParam) {
	if n.Kind == yaml.MappingNode {
		paramSpec().read(w, n, path, v)
		return
	}
	expressionKind{}.read(w, n, path, &v.value)
}

// sqlRule is what an event does to a table by SQL.
type sqlRule struct {
	table      string
	eventType  string // or a pattern
	order      int
	when, each *program
	params     []sqlParam
	statements map[dialect][]*sqlStatement
	decoder    *readmodel.Decoder[env]
}

// sqlParam is the value of a parameter.
type sqlParam struct {
	name  string
	typ   checkpoint.Type // zero = not known
	value *program
}

// compileSQL compiles the rules of all tables that are written by SQL. All tables of the file are known.
func (w *walker) compileSQL(d *document) {
	for i := range d.projections {
		p := d.Projections[i]
		decoders := newDecoders(d.events.decoders())
		for _, t := range p.sql.raw {
			c := &sqlCompiler{walker: w, document: d, projection: p, table: t, decoders: decoders}
			for _, o := range t.sql {
				for n := range o.Value {
					if r := c.rule(o.Name, n, &o.Value[n]); r != nil {
						p.sql.rules = append(p.sql.rules, r)
					}
				}
			}
		}
		// Rules for one event apply in the order of tables in the file, then of their types, as those of `on` do.
		slices.SortStableFunc(p.sql.rules, func(a, b *sqlRule) int {
			return cmp.Or(cmp.Compare(p.sql.index(a.table), p.sql.index(b.table)), cmp.Compare(a.eventType, b.eventType))
		})
		p.sql.foldedElsewhere(d)
		p.sql.raw = nil
	}
}

// sqlCompiler compiles the rules of one table.
type sqlCompiler struct {
	*walker
	document   *document
	projection *Projection
	table      placedTable
	decoders   *decoders
	path       string // of the rule
}

func (c *sqlCompiler) rule(eventType string, n int, raw *rawSQL) *sqlRule {
	if raw.node == nil {
		return nil // its mistake is noted already
	}
	before := len(c.mistakes)
	decoder, uses := c.decoders.of(eventType)
	c.path = join(c.table.sqlPath, eventType)
	r := &sqlRule{table: c.table.name, eventType: eventType, order: n, decoder: decoder, statements: map[dialect][]*sqlStatement{}}
	s := scope{body: c.document.events.body(eventType), sql: true}
	compile := func(e *expression, s scope) *program {
		if e == nil {
			return nil
		}
		p := c.compileExpression(*e, s)
		if p != nil {
			uses.add(p)
		}
		return p
	}
	r.each = compile(raw.each, s)
	s.item = raw.each != nil
	r.when = compile(raw.when, s)
	c.params(r, raw, func(e expression) *program { return compile(&e, s) })
	c.statements(r, raw)
	if len(c.mistakes) > before {
		return nil
	}
	return r
}

// params compiles the values of parameters.
func (c *sqlCompiler) params(r *sqlRule, raw *rawSQL, compile func(expression) *program) {
	def := c.projection.sql.table(c.table.name)
	for _, param := range raw.params {
		p := sqlParam{name: param.Name, typ: param.Value.typ, value: compile(param.Value.value)}
		if !isIdentifier(p.name) {
			c.fail(param.node, join(join(c.path, "params"), p.name), "%q cannot be written as :name: want letters, digits and _", p.name)
		}
		if at := def.Column(p.name); p.typ.Base == 0 && at >= 0 {
			p.typ = def.Columns[at].Type
		}
		if p.value == nil {
			continue
		}
		if p.typ.Base != 0 {
			fits := &ruleCompiler{tableCompiler: &tableCompiler{walker: c.walker}}
			fits.fits(p.value, param.Value.value, checkpoint.Column{Name: p.name, Type: p.typ})
		}
		if p.value.body != nil && p.typ == (checkpoint.Type{Base: checkpoint.Decimal}) {
			p.value.eval = exactly(p.value.body, p.value.eval)
		}
		r.params = append(r.params, p)
	}
	slices.SortFunc(r.params, func(a, b sqlParam) int { return strings.Compare(a.name, b.name) })
}

// statements takes the texts apart, and checks what they write and read.
func (c *sqlCompiler) statements(r *sqlRule, raw *rawSQL) {
	used := map[string]bool{}
	for _, text := range []struct {
		dialect dialect
		node    *yaml.Node
	}{{dialectSQLite, raw.statement.sqlite}, {dialectPostgres, raw.statement.postgres}} {
		if text.node == nil {
			continue
		}
		before := len(c.mistakes)
		statements, err := text.dialect.statements(text.node.Value)
		var mistake *sqlMistake
		if errors.As(err, &mistake) {
			c.failSQL(text.node, mistake.at, "%s", mistake.problem)
		}
		for _, s := range statements {
			c.check(text.node, s, raw, used)
		}
		r.statements[text.dialect] = statements
		if len(c.mistakes) > before {
			return // one for SQLite is most often the same for Postgres
		}
	}
	for _, param := range raw.params {
		if !used[param.Name] && isIdentifier(param.Name) && len(r.statements) > 0 {
			c.fail(param.node, join(join(c.path, "params"), param.Name), "no statement has :%s", param.Name)
		}
	}
}

func (c *sqlCompiler) check(n *yaml.Node, s *sqlStatement, raw *rawSQL, used map[string]bool) {
	var names []string
	for _, p := range raw.params {
		names = append(names, p.Name)
	}
	for _, name := range s.parameters {
		if used[name] = true; !slices.Contains(names, name) {
			c.failSQL(n, max(strings.Index(n.Value, ":"+name), 0), "params has no %s%s", name, didYouMean(name, names))
		}
	}
	for _, t := range s.writes {
		if problem := c.mayNotWrite(t.text); problem != "" {
			c.failSQL(n, t.at, "%s", problem)
		}
	}
	for _, t := range s.reads {
		switch p := c.document.writerOf(t.text); {
		case p == nil || p == c.projection && p.sql.writes(t.text):
		case p == c.projection:
			c.failSQL(n, t.at, "table %q has on, so its rows are written in batches: what a statement finds in it is by chance", t.text)
		default:
			line, column := c.placeInSQL(n, t.at)
			c.warnAt(line, column, c.path, "table %q is kept by projection %q: what the statement finds in it depends on how far that is", t.text, p.Name)
		}
	}
	for _, t := range s.restless {
		line, column := c.placeInSQL(n, t.at)
		c.warnAt(line, column, c.path, "%s gives another row when the event is handled again; use a parameter, such as event.created or event.id", t.raw)
	}
}

// mayNotWrite says why a statement may not write a table; empty if it may.
func (c *sqlCompiler) mayNotWrite(name string) string {
	p := c.document.writerOf(name)
	switch {
	case p == c.projection && p.sql.writes(name):
		return ""
	case p == c.projection:
		return fmt.Sprintf("table %q has on: it is written by its rules, and may not be by sql", name)
	case p != nil:
		return fmt.Sprintf("table %q is written by projection %q", name, p.Name)
	case strings.HasPrefix(strings.ToLower(name), "projector_"):
		return fmt.Sprintf("table %q is the program's own", name)
	}
	return fmt.Sprintf("table %q is not declared among the projection's tables with sql%s", name, didYouMean(name, tableNames(c.projection.sql.tables)))
}

// writerOf finds the projection of a table as SQL does, for which names without quotes are the same in any case.
func (d *document) writerOf(name string) *Projection {
	for _, p := range d.Projections {
		for _, t := range p.Tables() {
			if strings.EqualFold(t.Name, name) {
				return p
			}
		}
	}
	return nil
}

// failSQL notes what is wrong at a byte of a statement.
func (c *sqlCompiler) failSQL(n *yaml.Node, at int, format string, args ...any) {
	line, column := c.placeInSQL(n, at)
	c.failAt(line, column, c.path, format, args...)
}

// placeInSQL returns the place in the file of a byte of a statement.
func (w *walker) placeInSQL(n *yaml.Node, at int) (line, column int) {
	before := n.Value[:min(at, len(n.Value))]
	last := strings.LastIndexByte(before, '\n') + 1
	return w.within(n, 1+strings.Count(before, "\n"), len([]rune(before[last:])))
}

// fingerprint says what the rule does. Comments and formatting of statements do not matter.
func (r *sqlRule) fingerprint() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d", r.table, r.eventType, r.order)
	for _, p := range []struct {
		word    string
		program *program
	}{{"when", r.when}, {"each", r.each}} {
		if p.program != nil {
			fmt.Fprintf(&b, " %s %s", p.word, p.program.source)
		}
	}
	for _, p := range r.params {
		fmt.Fprintf(&b, " :%s %v %s", p.name, p.typ, p.value.source)
	}
	for _, d := range []dialect{dialectSQLite, dialectPostgres} {
		for _, s := range r.statements[d] {
			fmt.Fprintf(&b, " %s %s;", d, s.plain)
		}
	}
	return b.String()
}
