package config

import (
	"gopkg.in/yaml.v3"
)

// rawRule is what an event does to a row, as it stands in the file.
type rawRule struct {
	when   *expression
	each   *expression
	key    []expression
	lookup []named[rawLookup]
	verbs  [verbs][]named[expression]
	delete bool
	node   *yaml.Node
}

// rawLookup names a row of another table.
type rawLookup struct {
	table placedText
	key   []expression
	node  *yaml.Node
}

// verb is what a rule does with a column and a value.
type verb int

const (
	verbSet verb = iota
	verbSetOnce
	verbIncrement
	verbMax
	verbMin
	verbAppend
	verbMerge
	verbInsert
	verbs // how many there are
)

func (v verb) String() string {
	return [...]string{"set", "set_once", "increment", "max", "min", "append", "merge", "insert"}[v]
}

func onSpec() mappingOf[[]rawRule] {
	return mappingOf[[]rawRule]{item: listOf[rawRule]{ruleSpec(), "one rule"}, what: "event types"}
}

func ruleSpec() *object[rawRule] {
	o := &object[rawRule]{check: checkRule, fields: []field[rawRule]{
		of("when", pointer[expression]{expressionKind{}}, func(r *rawRule) **expression { return &r.when },
			"Only if this is true: `when: body.amount > 100`. `exists` tells whether there is such a row, `row` what it holds."),
		of("each", pointer[expression]{expressionKind{}}, func(r *rawRule) **expression { return &r.each },
			"Once for each element of a list: `each: body.lines`. The element is `item` in `key` and all values."),
		of("key", listOf[expression]{expressionKind{}, "an expression"}, func(r *rawRule) *[]expression { return &r.key },
			"Another key for this rule. It may use lookups; then rows are loaded one by one."),
		of("lookup", mappingOf[rawLookup]{item: lookupSpec(), what: "names for rows"}, func(r *rawRule) *[]named[rawLookup] { return &r.lookup },
			"Rows of other tables of the projection, as they were before the event, under names for use in values: "+
				"`lookup: {farm: {table: farms, key: body.farm_id}}`, then `farm?.name`."),
	}}
	for v, doc := range [verbs]string{
		verbSet:       "Sets columns: `set: {blob: body.blob}`.",
		verbSetOnce:   "Sets columns that hold nothing yet: `set_once: {first_seen: event.created}`.",
		verbIncrement: "Adds to columns, which begin at 0: `increment: {jumps: 1}`. A negative number subtracts.",
		verbMax:       "Keeps the greatest value: `max: {best_m: body.height_m}`. Nothing is not compared.",
		verbMin:       "Keeps the least value: `min: {first_at: body.at}`. Nothing is not compared.",
		verbAppend:    "Adds a value, or all of a list, to the end of a list: `append: {tags: body.tag}`.",
		verbMerge:     "Merges an object into a json column (RFC 7386, null removes): `merge: {profile: body}`.",
		verbInsert: "Writes a row of its own for the event, or for each item: `insert: {id: event.id, at: event.created}`. " +
			"Its columns of the primary key are the key. A row with the same key is replaced.",
	} {
		o.fields = append(o.fields, of(verb(v).String(), mappingOf[expression]{item: expressionKind{}, what: "names of columns"},
			func(r *rawRule) *[]named[expression] { return &r.verbs[v] }, doc))
	}
	o.fields = append(o.fields, of("delete", boolean{}, func(r *rawRule) *bool { return &r.delete }, "Deletes the row: `delete: true`."))
	return o
}

func lookupSpec() *object[rawLookup] {
	return &object[rawLookup]{
		fields: []field[rawLookup]{
			of("table", placed{"the name of a table"}, func(l *rawLookup) *placedText { return &l.table },
				"A table of the same projection.").required(),
			of("key", listOf[expression]{expressionKind{}, "an expression"}, func(l *rawLookup) *[]expression { return &l.key },
				"An expression for each column of its primary key. Where one is nothing, there is no such row.").required(),
		},
		check: func(_ *walker, n *yaml.Node, _ string, l *rawLookup) { l.node = n },
	}
}

func checkRule(w *walker, n *yaml.Node, path string, r *rawRule) {
	r.node = n
	does := []string{"delete"}
	changes := 0
	for v, columns := range r.verbs {
		does = append(does, verb(v).String())
		if v != int(verbInsert) {
			changes += len(columns)
		}
	}
	inserts := len(r.verbs[verbInsert]) > 0
	switch {
	case w.failedWithin(path):
	case r.delete && (changes > 0 || inserts):
		w.fail(n, path, "deletes the row and changes it: want one or the other")
	case inserts && changes > 0:
		w.fail(n, path, "inserts a row and changes one: want one or the other")
	case inserts && len(r.key) > 0:
		w.fail(n, join(path, "key"), "insert has its key among its columns")
	case !r.delete && !inserts && changes == 0:
		w.fail(n, path, "does nothing: want %s", oneOf(append(does[1:], does[0])))
	}
}
