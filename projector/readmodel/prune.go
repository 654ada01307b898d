package readmodel

import (
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Prune has rows of a table deleted whose time in a column lies further back than an age, and returns m, which is a model of
// one table. For an event, rows that are too old are not there any more, see [checkpoint.Prune]. An index over the column is
// made if there is none. It panics if there is no such column of times.
func (m *Model) Prune(column string, olderThan time.Duration) *Model {
	if len(m.tables) != 1 {
		panic("readmodel: Prune wants a model of one table; call it before Join")
	}
	def := m.tables[0].def
	def.Prune = &checkpoint.Prune{Column: column, OlderThan: olderThan}
	def.IndexPrune()
	if err := def.Validate(); err != nil {
		panic(fmt.Sprintf("readmodel: %v", err))
	}
	return m
}

// age forgets what the row holds if it is too old to be there for an event.
func (r *row) age(t *table, e *source.Event) error {
	if t.def.Prune == nil {
		return nil
	}
	columns := []any(nil)
	if v, ok := r.state.(*Values); !ok {
		columns = r.state.save(r.key)
	} else if v.Exists {
		columns = v.columns // as save, without a copy
	}
	if !expired(t.def, columns, e) {
		return nil
	}
	return r.state.load(r.key, nil)
}

// expired is the same for a row that is only looked at.
func (f *fold) expired(r *row, columns []any, e *source.Event) bool {
	for _, rows := range f.rows {
		if rows.table.def.Prune != nil && (rows.young[r.bytes] == r || rows.old[r.bytes] == r) {
			return expired(rows.table.def, columns, e)
		}
	}
	return false
}

func expired(def *checkpoint.Table, columns []any, e *source.Event) bool {
	return columns != nil && def.Prune.Expired(columns[def.Column(def.Prune.Column)], e.Created)
}
