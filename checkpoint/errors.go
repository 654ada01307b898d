package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrFenced means that the lease is not ours any more. Nothing of the change was applied.
	ErrFenced = errors.New("lease lost to another owner")
	// ErrHeld is what a *[HeldError] is.
	ErrHeld = errors.New("lease held by another owner")
	// ErrUnknownProjection means that the store has no projection of that name.
	ErrUnknownProjection = errors.New("unknown projection")
	// ErrDefinitionChanged is what a *[DefinitionError] is.
	ErrDefinitionChanged = errors.New("definition changed")
	// ErrDrift is what a *[DriftError] is.
	ErrDrift = errors.New("table differs from its definition")
	// ErrNoTable means that a table was used which [Store.EnsureTables] has not made.
	ErrNoTable = errors.New("no such table")
	// ErrNotMigrated means that the framework's own tables do not exist, or were made by an earlier release.
	ErrNotMigrated = errors.New("the framework's tables are not there, or of an earlier release")
	// ErrVersion means that the framework's own tables were made by a later release which this one cannot work with.
	ErrVersion = errors.New("the database was migrated by a later release")
	// ErrInvalid is in the chain of every error about an argument that can never work: a table without a key, a claim
	// without a name.
	ErrInvalid = errors.New("invalid argument")
	// ErrTxDone means that a transaction was committed or rolled back before.
	ErrTxDone = errors.New("transaction has ended")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("store is closed")
)

// HeldError says who owns a projection, and for how long still unless the lease is renewed.
type HeldError struct {
	Name    string
	Owner   string
	Expires time.Duration // from now, by the clock of the database
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("projection %q: %v: %s, for %v more unless it renews", e.Name, ErrHeld, e.Owner, e.Expires.Round(time.Millisecond))
}

// Is makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// DefinitionError says that the rows of a projection were built by another definition than the one at hand.
type DefinitionError struct {
	Name          string
	Stored, Wants string // fingerprints
	Position      Position
}

func (e *DefinitionError) Error() string {
	return fmt.Sprintf("projection %q: %v: its rows up to position %v were built by %s, not by %s; "+
		"restore the old definition, or run `projector reset %s` to build it anew",
		e.Name, ErrDefinitionChanged, e.Position, e.Stored, e.Wants, e.Name)
}

// Is makes errors.Is(err, ErrDefinitionChanged) true.
func (e *DefinitionError) Is(target error) bool { return target == ErrDefinitionChanged }

// DriftError lists how a live table differs from its definition.
type DriftError struct {
	Table       string
	Differences []string // each like `column "height": is text, wants float`
}

func (e *DriftError) Error() string {
	return fmt.Sprintf("%v: table %q: %s", ErrDrift, e.Table, strings.Join(e.Differences, "; "))
}

// Is makes errors.Is(err, ErrDrift) true.
func (e *DriftError) Is(target error) bool { return target == ErrDrift }

// RowError says that the database refused a value: out of range, of the wrong type, a broken constraint. The
// transaction was rolled back. Row is the index among the upserts of that table, or -1 where the database does not say.
type RowError struct {
	Table  string
	Column string // empty where the database does not say
	Row    int
	Err    error
}

func (e *RowError) Error() string {
	if e.Column != "" {
		return fmt.Sprintf("table %q: column %q: %v", e.Table, e.Column, e.Err)
	}
	return fmt.Sprintf("table %q: %v", e.Table, e.Err)
}

// Unwrap returns what the database said.
func (e *RowError) Unwrap() error { return e.Err }
