package readmodel

import (
	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// What follows knows rows as lists of column values and nothing of Go types; typed tables and those described at run time
// are built on it. Tables and rules are shared by all leases; decoders, steps and rows belong to one fold.

// table is a table with the rules that fold events into it.
type table struct {
	def      *checkpoint.Table
	newState func() state
	rules    []rule

	untouched map[string]bool // columns that no rule changes or looks at
}

// rule is what events of one type do to one table.
type rule interface {
	// eventType is the type, or a pattern of types with *.
	eventType() string
	// decoding identifies what the rule does to get at an event: rules for which it is equal share a decoder.
	decoding() decoding
	// bind makes what applies the rule under one lease.
	bind(in decoder) step
	// fingerprint says what the rule does, as far as that is known.
	fingerprint() string
}

// decoding makes a decoder. It is comparable.
type decoding interface {
	newDecoder(projection string, epoch int64) decoder
}

// decoder holds the decoded events of one batch.
type decoder interface {
	// decode adds an event.
	decode(e *source.Event) error
	// reset forgets all events.
	reset()
}

// step applies a rule to the events of a batch, in two passes: first the keys of all events, so that the missing rows
// can be loaded at once, then the changes in order.
type step interface {
	// keys tells which rows the last event of the decoder changes.
	keys(to wants) error
	// apply changes a row. slot is the index of the event in the decoder; item is what change was given, and looked the
	// columns of the rows that were asked for with look, as they were before the event, nil for those that do not exist.
	apply(slot, item int, to *row, looked [][]any) error
	// reset forgets all items.
	reset()
}

// wants gathers the rows that a batch needs. Keys are given in both forms: the bytes are valid during the call, values is
// called only where the row is not known yet.
type wants interface {
	// change notes that the step changes a row. blind says that it does not look at the row before it replaces it.
	change(bytes []byte, values func() []any, item int, blind bool) error
	// look notes that the next change looks at a row of another table.
	look(table string, bytes []byte, values func() []any) error
	// later notes that the step, a lateStep, changes a row whose key depends on the rows it looks at.
	later(item int)
}

// lateStep is a step that knows some keys only once the events before have been applied.
type lateStep interface {
	step
	// key returns the key of a change noted with later. bytes is nil if there is nothing to change.
	key(slot, item int, looked [][]any) (bytes []byte, values func() []any, err error)
}

// state is the changing content of one row.
type state interface {
	// load sets the row to what the database has; columns is nil where there is none.
	load(key, columns []any) error
	// save returns the columns as they are now, nil if the row does not exist. The slice shares nothing with the state.
	save(key []any) []any
}

// row is one row of a table, there or not, under a lease.
type row struct {
	key     []any
	bytes   string // of the key
	state   state
	broken  error // what was loaded cannot be used
	unread  bool  // image is not known: the row was replaced without looking
	image   []any // in the database; nil = not there
	next    []any // being written
	touched bool  // since the last writes
}
