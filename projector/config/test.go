package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// Test is one of the tests of a file: events, and the rows that must come of them. See [Test.Run].
type Test struct {
	Name string
	Line int // in the file

	file    string
	given   []source.Event
	want    []wantedTable
	views   []wantedView
	failure string // of the last event; empty = none
	config  *Config
}

// wantedTable lists the rows of a table.
type wantedTable struct {
	projection *Projection
	table      *checkpoint.Table
	rows       []wantedRow
	line       int
}

// wantedRow has the columns that matter.
type wantedRow struct {
	columns []int
	values  []any
	line    int
}

// rawTest is a test as it stands in the file.
type rawTest struct {
	name    string
	given   []source.Event
	want    []named[[]rawWant]
	failure string
	node    *yaml.Node
}

// rawWant is a row as it stands in the file.
type rawWant struct{ node *yaml.Node }

func testSpec() *object[rawTest] {
	return &object[rawTest]{
		fields: []field[rawTest]{
			of("name", name{"what is tested"}, func(t *rawTest) *string { return &t.name }, "What is tested.").required(),
			of("given", listOf[source.Event]{eventKind{}, "one event"}, func(t *rawTest) *[]source.Event { return &t.given },
				"Events, in order: `type: body`, or a mapping with `type`, `data`, `stream`, `metadata`, `id`, `created`. "+
					"An event without a stream goes to every projection.").required(),
			of("want", mappingOf[[]rawWant]{item: wantKind{}, what: "names of tables"}, func(t *rawTest) *[]named[[]rawWant] { return &t.want },
				"All rows of a table, in any order, with the columns that matter: `ponies: [{name: Rarity, jumps: 2}]`. `[]` is an empty table. "+
					"Rows of a view are wanted in its order; a store without SQL has none."),
			of("error", name{"a part of the error"}, func(t *rawTest) *string { return &t.failure },
				"A part of the error that the last event must fail with."),
		},
		check: func(w *walker, n *yaml.Node, path string, t *rawTest) {
			if t.node = n; len(t.want) == 0 && t.failure == "" && !w.failedWithin(path) {
				w.fail(n, path, "tests nothing: want is missing")
			}
		},
	}
}

// wantKind is a list of rows; it may be empty.
type wantKind struct{}

func (wantKind) describe() *Description {
	row := &Description{Type: KindMapping, Doc: "names of columns", Item: anything{}.describe()}
	return &Description{Type: KindRows, Item: row}
}

func (wantKind) read(w *walker, n *yaml.Node, path string, v *[]rawWant) {
	if n.Kind != yaml.SequenceNode {
		w.fail(n, path, "want a list of rows, got %s", nameOf(n))
		return
	}
	for i, item := range n.Content {
		if item = w.resolve(item); item.Kind != yaml.MappingNode {
			w.fail(item, path+"["+strconv.Itoa(i)+"]", "want a row such as {name: Rarity}, got %s", nameOf(item))
			continue
		}
		*v = append(*v, rawWant{item})
	}
}

// eventKind is `type: body`, or a mapping of all parts of an event.
type eventKind struct{}

// rawGiven is an event with all its parts.
type rawGiven struct {
	eventType, stream, id, created string
	data, metadata                 *yaml.Node
}

func givenSpec() *object[rawGiven] {
	return &object[rawGiven]{fields: []field[rawGiven]{
		of("type", name{"an event type"}, func(g *rawGiven) *string { return &g.eventType }, "Type of the event.").required(),
		of("data", anything{}, func(g *rawGiven) **yaml.Node { return &g.data }, "Its body."),
		of("metadata", anything{}, func(g *rawGiven) **yaml.Node { return &g.metadata }, "Its metadata."),
		of("stream", name{"the name of a stream"}, func(g *rawGiven) *string { return &g.stream }, "Its stream."),
		of("id", name{"a UUID"}, func(g *rawGiven) *string { return &g.id }, "Its id."),
		of("created", name{"a time"}, func(g *rawGiven) *string { return &g.created }, "When it was written.").
			byDefault("2024-01-01T00:00:00Z, and a second more for each event"),
	}}
}

func (eventKind) describe() *Description {
	return &Description{Type: KindOr, Or: []*Description{
		{Type: KindMapping, Doc: "one event type", Item: anything{}.describe()}, givenSpec().describe(),
	}}
}

func (eventKind) read(w *walker, n *yaml.Node, path string, v *source.Event) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "want an event such as pony.jumped: {name: Rarity}, got %s", nameOf(n))
		return
	}
	var g rawGiven
	entries := w.entries(n, path)
	if len(entries) == 1 && entries[0].key.Value != "type" {
		g.eventType, g.data = entries[0].key.Value, entries[0].value
	} else {
		givenSpec().read(w, n, path, &g)
	}
	*v = source.Event{Type: g.eventType, Stream: g.stream, JSON: true}
	w.part(&v.Data, g.data, join(path, "data"))
	w.part(&v.Metadata, g.metadata, join(path, "metadata"))
	if g.id != "" {
		id, err := uuid.Parse(g.id)
		if err != nil {
			w.fail(n, join(path, "id"), "%q is no UUID", g.id)
		}
		v.ID = id
	}
	if g.created != "" {
		created, err := time.Parse(time.RFC3339Nano, g.created)
		if err != nil {
			w.fail(n, join(path, "created"), `want a time such as "2006-01-02T15:04:05Z", got %q`, g.created)
		}
		v.Created = created
	}
}

// part stores YAML as JSON.
func (w *walker) part(into *[]byte, n *yaml.Node, path string) {
	if n == nil {
		return
	}
	v, err := exact(n)
	if err == nil {
		*into, err = json.Marshal(v)
	}
	if err != nil {
		w.fail(n, path, "%v", err)
	}
}

// exact is as plain, with numbers as they are written.
func exact(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return exact(n.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = exact(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := exact(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = v
		}
		return object, nil
	}
	if (n.Tag == "!!int" || n.Tag == "!!float") && json.Valid([]byte(n.Value)) {
		return json.Number(n.Value), nil
	}
	return plain(n)
}

// compileTests makes the tests of a document whose projections are compiled.
func (w *walker) compileTests(d *document) []*Test {
	var tests []*Test
	for i, raw := range d.tests {
		if raw.node == nil {
			continue
		}
		t := &Test{Name: raw.name, Line: raw.node.Line, file: w.file, given: raw.given, failure: raw.failure, config: d.Config}
		for j := range t.given {
			e := &t.given[j]
			var err error
			if e.Data, err = d.events.encode(e.Type, e.Data); err != nil {
				w.fail(raw.node, fmt.Sprintf("tests[%d].given[%d]", i, j), "%v", err)
			}
		}
		path := fmt.Sprintf("tests[%d].want", i)
		for _, want := range raw.want {
			if d.View(want.Name) != nil {
				t.views = append(t.views, w.wantedView(want, join(path, want.Name)))
				continue
			}
			p, table := d.Table(want.Name)
			if table == nil {
				var names []string
				for _, v := range d.Views {
					names = append(names, v.Name)
				}
				for _, p := range d.Projections {
					names = append(names, tableNames(p.Tables())...)
				}
				w.fail(want.node, join(path, want.Name), "there is no table %q%s", want.Name, didYouMean(want.Name, names))
				continue
			}
			wanted := wantedTable{projection: p, table: table, line: want.node.Line}
			for _, row := range want.Value {
				wanted.rows = append(wanted.rows, w.wantedRow(row, table, join(path, want.Name)))
			}
			t.want = append(t.want, wanted)
		}
		tests = append(tests, t)
	}
	return tests
}

func (w *walker) wantedRow(raw rawWant, table *checkpoint.Table, path string) wantedRow {
	row := wantedRow{line: raw.node.Line}
	for _, e := range w.entries(raw.node, path) {
		name := e.key.Value
		i := table.Column(name)
		if i < 0 {
			var names []string
			for _, c := range table.Columns {
				names = append(names, c.Name)
			}
			w.fail(e.key, join(path, name), "table %q has no column %q%s", table.Name, name, didYouMean(name, names))
			continue
		}
		v, err := exact(e.value)
		if err == nil {
			v, err = readmodel.Convert(table.Columns[i].Type, v)
		}
		if err != nil {
			w.fail(e.value, join(path, name), "column of type %v cannot hold %s: %v", table.Columns[i].Type, nameOf(e.value), err)
			continue
		}
		row.columns, row.values = append(row.columns, i), append(row.values, v)
	}
	return row
}

// matches reports whether events of a stream and type are read.
func (s *Source) matches(stream, eventType string) bool {
	fits := func(patterns []string, name string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
			prefix, isPrefix := strings.CutSuffix(p, "*")
			return p == name || isPrefix && strings.HasPrefix(name, prefix)
		})
	}
	switch {
	case s.Stream != "":
		return s.Stream == stream
	case len(s.Streams) > 0:
		return slices.Contains(s.Streams, stream)
	case s.Category != "":
		return category(stream) == s.Category
	case s.All != nil:
		return fits(s.All.Streams, stream) && fits(s.All.Types, eventType)
	}
	return false
}

// anyStream is a stream that the source reads.
func (s *Source) anyStream() string {
	switch {
	case s.Stream != "":
		return s.Stream
	case len(s.Streams) > 0:
		return s.Streams[0]
	case s.Category != "":
		return s.Category + "-test"
	case s.All != nil && len(s.All.Streams) > 0:
		return strings.ReplaceAll(s.All.Streams[0], "*", "test")
	}
	return "test"
}
