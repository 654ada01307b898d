package projector

import (
	"context"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Folder folds events into rows of tables. Package readmodel implements it; users do not.
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

// Fold is the work of a [Folder] under one lease. It is used by one goroutine at a time.
type Fold interface {
	// Fold applies events in order to rows in memory, loading the rows it needs. Events of types it does not handle are
	// passed over. An error that belongs to one event is an *[EventError], and the rows are then undefined until
	// Rollback; any other error says that loading failed.
	Fold(ctx context.Context, events []source.Event) error
	// Writes returns what has changed since the last Committed, to be written in one transaction.
	Writes() []checkpoint.TableWrite
	// Committed tells that the last Writes are in the database.
	Committed()
	// Rollback forgets everything since the last Committed, and whatever else may not be as in the database.
	Rollback()
}
