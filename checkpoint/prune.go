package checkpoint

import (
	"fmt"
	"time"
)

// Prune has old rows of a table deleted: those whose time in a column lies further back than an age.
//
// Age is counted in the time of events. For an event created at T, a row of before T - OlderThan is not there any more,
// whether it has been deleted yet or not: so the rows of a table do not depend on when that happens, and are the same when
// it is built anew. A row that holds nothing in the column is kept.
type Prune struct {
	Column    string        // of type Time
	OlderThan time.Duration // positive
}

// PruneMargin is how much longer rows are kept when their age is counted by the clock of the database, as there are no newer
// events: the clocks of event store and database may differ by as much.
const PruneMargin = 5 * time.Minute

// Expired reports whether a row with this time is not there any more for an event created at another.
func (p *Prune) Expired(at any, created time.Time) bool {
	t, ok := at.(time.Time)
	return ok && !created.IsZero() && t.Before(created.UTC().Truncate(time.Microsecond).Add(-p.OlderThan))
}

// IndexPrune adds an index over the column of Prune, by which old rows are found, if there is none that begins with it.
func (t *Table) IndexPrune() {
	if t.Prune == nil || len(t.Key) > 0 && t.Key[0] == t.Prune.Column {
		return
	}
	for _, ix := range t.Indexes {
		if len(ix.Columns) > 0 && ix.Columns[0] == t.Prune.Column {
			return
		}
	}
	t.Indexes = append(t.Indexes, Index{Columns: []string{t.Prune.Column}})
}

func (t *Table) validatePrune() error {
	if t.Prune == nil {
		return nil
	}
	i := t.Column(t.Prune.Column)
	switch {
	case i < 0:
		return fmt.Errorf("prune names %q, which is no column", t.Prune.Column)
	case t.Columns[i].Type != Type{Base: Time}:
		return fmt.Errorf("prune names column %q of type %v, which is no time", t.Prune.Column, t.Columns[i].Type)
	case t.Prune.OlderThan <= 0:
		return fmt.Errorf("prune wants a positive age, got %v", t.Prune.OlderThan)
	}
	return nil
}
