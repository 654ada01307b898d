package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// env is one event as expressions see it.
type env struct {
	event    *source.Event
	body     any
	metadata any
	json     bool // body was JSON

	item    any               // of `each`
	key     [4]any            // of a row, while it is made
	row     *readmodel.Values // of the rule that is being applied; nil while keys are made
	table   *checkpoint.Table // of row
	lookups []lookedUp
	looked  func(i int) []any // the rows of lookups
	vars    map[string]any    // for the machine; made when first needed
	current bool              // vars has the row and the lookups of now
}

// apply makes the env see a row, and the element of a list that it belongs to.
func (e *env) apply(row *readmodel.Values, table *checkpoint.Table, item any) {
	e.row, e.table, e.item, e.current = row, table, item, false
}

// look makes the env see rows of other tables.
func (e *env) look(lookups []lookedUp, looked func(i int) []any) {
	e.lookups, e.looked, e.current = lookups, looked, false
}

// variables returns what a program may refer to.
func (e *env) variables(p *program) map[string]any {
	if e.vars == nil {
		e.vars = map[string]any{"body": whole(e.body), "metadata": whole(e.metadata)}
	}
	if p.uses("event") && e.vars["event"] == nil {
		e.vars["event"] = viewOf(e.event)
	}
	if p.uses("item") {
		e.vars["item"] = e.item
	}
	if e.row != nil {
		e.vars["exists"] = e.row.Exists
	}
	if !e.current && (p.uses("row") || len(e.lookups) > 0) {
		e.see()
	}
	return e.vars
}

// see makes variables of the row and the lookups.
func (e *env) see() {
	if e.row != nil {
		e.vars["row"] = rowOf(e.table, e.row.Column)
	}
	for i, l := range e.lookups {
		e.vars[l.name] = nil
		if columns := e.looked(i); columns != nil {
			e.vars[l.name] = rowOf(l.table, func(i int) any { return columns[i] })
		}
	}
	e.current = true
}

func rowOf(t *checkpoint.Table, column func(i int) any) map[string]any {
	row := make(map[string]any, len(t.Columns))
	for i, c := range t.Columns {
		row[c.Name] = rowValue(column(i))
	}
	return row
}

// eventView is `event` in expressions.
type eventView struct {
	ID       string    `expr:"id"`
	Type     string    `expr:"type"`
	Stream   string    `expr:"stream"`
	Category string    `expr:"category"`
	Number   int64     `expr:"number"`
	Created  time.Time `expr:"created"`
	Position string    `expr:"position"`
}

func eventFields() []string {
	return []string{"id", "type", "stream", "category", "number", "created", "position"}
}

// eventField returns one field of `event`, which must be among eventFields.
func eventField(name string) func(e *source.Event) any {
	switch name {
	case "id":
		return func(e *source.Event) any { return e.ID.String() }
	case "type":
		return func(e *source.Event) any { return e.Type }
	case "stream":
		return func(e *source.Event) any { return e.Stream }
	case "category":
		return func(e *source.Event) any { return category(e.Stream) }
	case "number":
		return func(e *source.Event) any { return e.Number }
	case "created":
		return func(e *source.Event) any { return e.Created }
	}
	return func(e *source.Event) any { return e.Position.String() }
}

// category is what stands before the first dash of a stream's name, as the event store's own categories have it.
func category(stream string) string {
	before, _, found := strings.Cut(stream, "-")
	if !found {
		return ""
	}
	return before
}

func viewOf(e *source.Event) *eventView {
	return &eventView{
		ID: e.ID.String(), Type: e.Type, Stream: e.Stream, Category: category(e.Stream),
		Number: e.Number, Created: e.Created, Position: e.Position.String(),
	}
}

// rowValue is a column's value as expressions see it.
func rowValue(v any) any {
	switch v := v.(type) {
	case json.RawMessage:
		x, err := scan(v, &everything)
		if err != nil {
			return nil // the database gave it, so it is valid
		}
		return x
	case fmt.Stringer:
		if _, isTime := v.(time.Time); !isTime {
			return v.String() // uuid
		}
	}
	return v
}
