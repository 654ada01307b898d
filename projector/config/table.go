package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
)

// rawTable is a table as it stands in the file.
type rawTable struct {
	name       string
	columns    []named[rawColumn]
	primaryKey []placedText
	indexes    []rawIndex
	key        []expression
	on         []named[[]rawRule]
	sql        []named[[]rawSQL]
	prune      *rawPrune
	node       *yaml.Node
}

// placedText is text that remembers where it stands.
type placedText struct {
	text string
	node *yaml.Node
}

// rawPrune says which rows are too old.
type rawPrune struct {
	olderThan time.Duration
	by        placedText
	node      *yaml.Node
}

func pruneSpec() *object[rawPrune] {
	return &object[rawPrune]{
		check: func(_ *walker, n *yaml.Node, _ string, p *rawPrune) { p.node = n },
		fields: []field[rawPrune]{
			of("older_than", duration{min: time.Second}, func(p *rawPrune) *time.Duration { return &p.olderThan },
				"How old a row must be: `90d`, `36h`.").required(),
			of("by", placed{"the name of a column"}, func(p *rawPrune) *placedText { return &p.by },
				"The column that says from when it is, of type time. A row with nothing in it is kept.").required(),
		},
	}
}

type rawIndex struct {
	columns []placedText
	unique  bool
}

func tableSpec(several bool) *object[rawTable] {
	o := &object[rawTable]{check: func(_ *walker, n *yaml.Node, _ string, t *rawTable) { t.node = n }}
	if !several {
		o.fields = append(o.fields,
			of("name", name{"the name of a table"}, func(t *rawTable) *string { return &t.name },
				"Name of the table; by default that of the projection."))
	}
	o.fields = append(o.fields,
		of("columns", mappingOf[rawColumn]{item: columnKind{}, what: "names of columns"},
			func(t *rawTable) *[]named[rawColumn] { return &t.columns },
			"The columns with their types, `name: type`.").required(),
		of("primary_key", listOf[placedText]{placed{"the name of a column"}, "one column"}, func(t *rawTable) *[]placedText { return &t.primaryKey },
			"Columns that tell rows apart. They are filled from `key`, in this order.").required(),
		of("indexes", listOf[rawIndex]{indexKind{}, "one index"}, func(t *rawTable) *[]rawIndex { return &t.indexes },
			"Further indexes: a column, a list of columns, or `{columns: […], unique: true}`."),
		of("prune", pointer[rawPrune]{pruneSpec()}, func(t *rawTable) **rawPrune { return &t.prune },
			"Delete old rows: `prune: {older_than: 90d, by: last_seen}`. For an event, a row that is so much older than the event is not "+
				"there any more, so the rows are the same when they are built anew. An index is made for it."))
	if several {
		o.fields = append(o.fields,
			of("key", listOf[expression]{expressionKind{}, "an expression"}, func(t *rawTable) *[]expression { return &t.key },
				"Which row an event changes: an expression for each column of the primary key."),
			of("on", onSpec(), func(t *rawTable) *[]named[[]rawRule] { return &t.on },
				"What events do to the row, by event type."),
			of("sql", sqlSpec(), func(t *rawTable) *[]named[[]rawSQL] { return &t.sql },
				"Instead of `on`: statements that events run, by event type, for what rules cannot say."))
	}
	return o
}

// placed is text that remembers where it stands.
type placed struct{ what string }

func (placed) describe() *Description { return &Description{Type: KindText} }

func (k placed) read(w *walker, n *yaml.Node, path string, v *placedText) {
	v.node = n
	name(k).read(w, n, path, &v.text)
}

// rawColumn is the type of a column and what else is known of it.
type rawColumn struct {
	typ      checkpoint.Type
	notNull  bool
	fallback *yaml.Node // default
	node     *yaml.Node
}

// columnKind is the name of a type, or a mapping of details.
type columnKind struct{}

func columnSpec() *object[rawColumn] {
	return &object[rawColumn]{fields: []field[rawColumn]{
		of("type", typeKind{}, func(c *rawColumn) *checkpoint.Type { return &c.typ }, "Type of the column.").required(),
		of("not_null", boolean{}, func(c *rawColumn) *bool { return &c.notNull },
			"Refuse to store nothing in it.").byDefault("false"),
		of("default", anything{}, func(c *rawColumn) **yaml.Node { return &c.fallback },
			"What a new row holds. By default 0 in a column that is incremented, else nothing."),
	}}
}

func (columnKind) describe() *Description {
	return &Description{Type: KindOr, Or: []*Description{typeKind{}.describe(), columnSpec().describe()}}
}

func (columnKind) read(w *walker, n *yaml.Node, path string, v *rawColumn) {
	v.node = n
	if n.Kind == yaml.MappingNode {
		columnSpec().read(w, n, path, v)
		return
	}
	typeKind{}.read(w, n, path, &v.typ)
}

// typeKind is the name of a column type.
type typeKind struct{}

const listPrefix = "list of "

func typeNames() []string {
	names := checkpoint.Bases()
	for _, b := range checkpoint.Bases() {
		names = append(names, listPrefix+b)
	}
	return names
}

func (typeKind) describe() *Description {
	return &Description{Type: KindColumnType, Values: typeNames()}
}

func (typeKind) read(w *walker, n *yaml.Node, path string, v *checkpoint.Type) {
	s, ok := scalar(w, n, path, "a column type: "+oneOf(checkpoint.Bases())+", or list of one of them")
	if !ok {
		return
	}
	item, list := strings.CutPrefix(s, listPrefix)
	base, known := checkpoint.ParseBase(item)
	if !known {
		w.fail(n, path, "unknown type %q%s", s, similarType(s))
		return
	}
	*v = checkpoint.Type{Base: base, List: list}
}

// similarType knows what the types are called elsewhere.
func similarType(s string) string {
	elsewhere := map[string]string{
		"string": "text", "varchar": "text", "char": "text", "str": "text",
		"integer": "int", "bigint": "int", "int64": "int", "long": "int", "number": "int", "smallint": "int",
		"double": "float", "real": "float", "float64": "float", "numeric": "decimal", "money": "decimal",
		"boolean": "bool", "timestamp": "time", "timestamptz": "time", "datetime": "time", "date": "time",
		"guid": "uuid", "blob": "bytes", "bytea": "bytes", "binary": "bytes", "jsonb": "json", "object": "json", "map": "json",
		"list": "list of text", "array": "list of text", "text[]": "list of text",
	}
	for _, b := range checkpoint.Bases() {
		elsewhere[b] = b
	}
	if near := Nearest(s, slices.Sorted(maps.Keys(elsewhere))); near != "" {
		return "; did you mean \"" + elsewhere[near] + "\"?"
	}
	return "; want " + oneOf(checkpoint.Bases()) + ", or list of one of them"
}

// anything is kept as it stands.
type anything struct{}

func (anything) describe() *Description { return &Description{Type: KindAny} }

func (anything) read(_ *walker, n *yaml.Node, _ string, v **yaml.Node) { *v = n }

// indexKind is a column, a list of columns, or a mapping of details.
type indexKind struct{}

func indexSpec() *object[rawIndex] {
	return &object[rawIndex]{fields: []field[rawIndex]{
		of("columns", listOf[placedText]{placed{"the name of a column"}, "one column"}, func(i *rawIndex) *[]placedText { return &i.columns },
			"Columns of the index, in order.").required(),
		of("unique", boolean{}, func(i *rawIndex) *bool { return &i.unique }, "Refuse equal rows.").byDefault("false"),
	}}
}

func (indexKind) describe() *Description {
	columns := listOf[placedText]{placed{}, ""}.describe()
	return &Description{Type: KindOr, Or: []*Description{columns, indexSpec().describe()}}
}

func (indexKind) read(w *walker, n *yaml.Node, path string, v *rawIndex) {
	if n.Kind == yaml.MappingNode {
		indexSpec().read(w, n, path, v)
		return
	}
	listOf[placedText]{placed{"the name of a column"}, "one column"}.read(w, n, path, &v.columns)
}
