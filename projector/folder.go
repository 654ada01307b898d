package projector

import (
	"context"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Folder folds events into rows of tables. It is a [Part] of a projection. Package readmodel implements it; users do not.
type Folder interface {
	// Tables that the folder writes.
	Tables() []*checkpoint.Table
	// Handles reports whether events of this type are folded.
	Handles(eventType string) bool
	// Fingerprint changes when the same events would give other rows. It is part of the projection's definition.
	Fingerprint() string
	// NewFold starts folding under a lease.
	NewFold(projection string, lease checkpoint.Lease) Fold
}

// Keyer is a [Folder] that knows the ordering key of an event: the row that it changes.
type Keyer interface {
	// OrderingKey returns the key, or an error if it cannot be computed or the event changes several rows.
	OrderingKey(e *source.Event) (string, error)
}

// Fold is the work of a [Folder] under one lease. It is used by one goroutine at a time.
//
// Changes go to the database in generations, so that the next events are folded while the last rows are written:
//
//	Fold(1) Writes(1) Fold(2) Committed(1) Fold(2) Writes(2) Committed(2) …
//
// There is never more than one generation between Writes and Committed. Rows of a generation that is not committed stay in
// memory: the database does not have them yet.
type Fold interface {
	// Fold applies events in order to rows in memory, loading the rows it needs. Events of types it does not handle are
	// passed over. An error that belongs to one event is an *[EventError], and the rows are then undefined until
	// Rollback; any other error says that loading failed, and the same holds.
	Fold(ctx context.Context, events []source.Event) error
	// Writes closes the current generation and returns what it has changed, to be written in one transaction. What it
	// returns is read until Committed or Rollback, while Fold may go on with the next generation: it shares no memory
	// with the rows that are still folded into.
	Writes() []checkpoint.TableWrite
	// Committed tells that what Writes last returned is in the database.
	Committed()
	// Rollback forgets every generation that is not committed, and whatever else may not be as in the database.
	Rollback()
}
