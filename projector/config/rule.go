package config

import (
	"gopkg.in/yaml.v3"
)

// rawRule is what an event does to a row, as it stands in the file.
type rawRule struct {
	when      *expression
	key       []expression
	set       []named[expression]
	increment []named[expression]
	max       []named[expression]
	min       []named[expression]
	delete    bool
	node      *yaml.Node
}

func onSpec() mappingOf[[]rawRule] {
	return mappingOf[[]rawRule]{item: listOf[rawRule]{ruleSpec(), "one rule"}, what: "event types"}
}

func ruleSpec() *object[rawRule] {
	columns := mappingOf[expression]{item: expressionKind{}, what: "names of columns"}
	return &object[rawRule]{
		fields: []field[rawRule]{
			of("when", pointer[expression]{expressionKind{}}, func(r *rawRule) **expression { return &r.when },
				"Only if this is true: `when: body.amount > 100`. `exists` tells whether there is such a row."),
			of("key", listOf[expression]{expressionKind{}, "an expression"}, func(r *rawRule) *[]expression { return &r.key },
				"Another key for this rule."),
			of("set", columns, func(r *rawRule) *[]named[expression] { return &r.set },
				"Sets columns: `set: {blob: body.blob}`."),
			of("increment", columns, func(r *rawRule) *[]named[expression] { return &r.increment },
				"Adds to columns, which begin at 0: `increment: {jumps: 1}`. A negative number subtracts."),
			of("max", columns, func(r *rawRule) *[]named[expression] { return &r.max },
				"Keeps the greatest value: `max: {best_m: body.height_m}`."),
			of("min", columns, func(r *rawRule) *[]named[expression] { return &r.min },
				"Keeps the least value: `min: {first_at: body.at}`."),
			of("delete", boolean{}, func(r *rawRule) *bool { return &r.delete },
				"Deletes the row: `delete: true`."),
		},
		check: func(w *walker, n *yaml.Node, path string, r *rawRule) {
			r.node = n
			changes := len(r.set) + len(r.increment) + len(r.max) + len(r.min)
			switch {
			case r.delete && changes > 0:
				w.fail(n, path, "deletes the row and changes it: want one or the other")
			case !r.delete && changes == 0 && !w.failedWithin(path):
				w.fail(n, path, "does nothing: want %s", oneOf([]string{"set", "increment", "max", "min", "delete"}))
			}
		},
	}
}
