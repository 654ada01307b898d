package checkpoint

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// DedupeStore is what a [Store] can do that remembers which events were handled, for logs that deliver an event again
// although it was. Its leases are [DedupeLease]s.
type DedupeStore interface {
	Store

	// Remembered counts the ids that are kept for a projection.
	Remembered(ctx context.Context, projection string) (int64, error)
}

// DedupeLease is what a [Lease] of a [DedupeStore] can do.
type DedupeLease interface {
	Lease

	// Known returns those of ids that a commit of this projection has remembered, and that are not forgotten yet.
	Known(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error)
}

// Dedupe is the part of a [Change] that says which events it handles. Only a [DedupeLease] takes it into account.
//
// An id that is remembered already makes the commit fail with [ErrFenced], and nothing is applied: whoever has handled
// that event owns the projection.
type Dedupe struct {
	IDs []uuid.UUID // remembered from now on; none occurs twice

	// Window is how long ids are remembered at least, by the clock of the database. Older ones are forgotten little by
	// little: a commit removes [ForgetAtLeast] of them, or twice as many as it adds.
	Window time.Duration
}

// ForgetAtLeast is how many ids a commit forgets that adds few.
const ForgetAtLeast = 100

// Forget is how many ids a commit with these forgets at most.
func (d *Dedupe) Forget() int { return max(ForgetAtLeast, 2*len(d.IDs)) }
