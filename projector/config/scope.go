package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"

	"github.com/photonpump/projector/checkpoint"
)

// scope is what an expression may refer to.
type scope struct {
	body    types.Type        // as declared; nil = anything
	item    bool              // there is an `item`
	sql     bool              // of a statement, which looks at rows by itself
	table   *checkpoint.Table // of `row`; nil = there is no row yet
	lookups []lookedUp
}

// lookedUp is a name for a row of another table.
type lookedUp struct {
	name  string
	table *checkpoint.Table
}

// checked returns the names with all that is known of their types, to find mistakes with.
func (s scope) checked() types.Map {
	m := types.Map{"body": types.Any, "metadata": types.Any, "event": types.TypeOf(&eventView{})}
	if s.body != nil {
		m["body"] = s.body
	}
	if s.item {
		m["item"] = types.Any
	}
	if s.table != nil {
		m["row"], m["exists"] = rowType(s.table, columnType), types.Bool
	}
	for _, l := range s.lookups {
		m[l.name] = rowType(l.table, columnType)
	}
	return m
}

// running returns the names with the types they are sure to have. Whatever comes from events or tables may be missing,
// and instructions for one type do not stand that.
func (s scope) running() types.Map {
	m := types.Map{"body": types.Any, "metadata": types.Any, "event": types.TypeOf(&eventView{})}
	if s.item {
		m["item"] = types.Any
	}
	if s.table != nil {
		m["row"], m["exists"] = types.Any, types.Bool
	}
	for _, l := range s.lookups {
		m[l.name] = types.Any
	}
	return m
}

func (s scope) names() []string {
	names := []string{"body", "event", "metadata"}
	if s.item {
		names = append(names, "item")
	}
	if s.table != nil {
		names = append(names, "row", "exists")
	}
	for _, l := range s.lookups {
		names = append(names, l.name)
	}
	return names
}

func rowType(t *checkpoint.Table, of func(checkpoint.Type) types.Type) types.Map {
	row := types.Map{}
	for _, c := range t.Columns {
		row[c.Name] = of(c.Type)
	}
	return row
}

// columnType is how expressions see a value of a column, if it holds one.
func columnType(t checkpoint.Type) types.Type {
	if t.List {
		return types.Array(columnType(checkpoint.Type{Base: t.Base}))
	}
	switch t.Base {
	case checkpoint.Text, checkpoint.UUID, checkpoint.Decimal:
		return types.String
	case checkpoint.Int:
		return types.Int64
	case checkpoint.Float:
		return types.Float64
	case checkpoint.Bool:
		return types.Bool
	case checkpoint.Time:
		return types.TypeOf(time.Time{})
	}
	return types.Any
}

var (
	unknownName  = regexp.MustCompile(`^unknown name (\w+)$`)
	unknownField = regexp.MustCompile(`^(?:type \S+ has no field|unknown field) (\w+)$`)
	plainWord    = regexp.MustCompile(`^[\pL_][\pL\pN_ -]*$`)
	ofName       = regexp.MustCompile(`(\w+)\??\.(?:\w+\??\.)*$`)
)

// explain says in the words of the file what the compiler says in those of Go, and what may have been meant. before is
// the text of the expression before the place of the mistake.
func (s scope) explain(text, before, message string) string {
	if m := unknownName.FindStringSubmatch(message); m != nil {
		return message + s.hintName(text, m[1])
	}
	if m := unknownField.FindStringSubmatch(message); m != nil {
		root := ofName.FindStringSubmatch(before)
		if strings.HasPrefix(message, "type ") {
			return "event has no " + m[1] + didYouMean(m[1], eventFields())
		}
		if root != nil {
			return s.hintField(root[1], m[1])
		}
		return "there is no field " + m[1]
	}
	if strings.HasPrefix(message, "unexpected token EOF") {
		return message + ": the expression ends too early"
	}
	message = strings.ReplaceAll(message, "interface {}", "any")
	message = strings.ReplaceAll(message, "map[string]any", "object")
	return message
}

func (s scope) hintField(root, name string) string {
	tables := s.lookups
	if s.table != nil {
		tables = append(slices.Clone(tables), lookedUp{"row", s.table})
	}
	for _, l := range tables {
		if l.name != root {
			continue
		}
		var columns []string
		for _, c := range l.table.Columns {
			columns = append(columns, c.Name)
		}
		return root + " has no column " + name + didYouMean(name, columns)
	}
	var declared []string
	if body, ok := s.body.(types.Map); ok {
		for field := range body {
			declared = append(declared, field)
		}
		slices.Sort(declared)
	}
	return "the body is declared without " + name + didYouMean(name, declared)
}

func (s scope) hintName(text, name string) string {
	switch {
	case name == "now":
		return "; an event must give the same row whenever it is handled: use event.created"
	case (name == "row" || name == "exists") && s.sql:
		return "; a statement looks at rows by itself"
	case (name == "row" || name == "exists") && s.table == nil:
		return "; there is no row here yet"
	case name == "item" && !s.item:
		return "; there is one only with each"
	}
	if near := Nearest(name, s.names()); near != "" {
		return didYouMean(name, s.names())
	}
	if plainWord.MatchString(text) {
		return `; for text write "'` + text + `'", for a field of the event body.` + name
	}
	return "; want " + oneOf(s.names())
}
