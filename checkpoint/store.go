package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Store is one database that holds positions, leases and read-model tables. Implementations are safe for concurrent
// use and live in the packages memory, sqlite and postgres.
type Store interface {
	// Migrate creates or upgrades the framework's own tables, under a lock. It is safe to call from many processes at
	// once, and must be called before anything but Check.
	Migrate(ctx context.Context) error

	// Check reports whether the framework's own tables are there for this release, and changes nothing. The error is
	// [ErrNotMigrated] if Migrate has something to do, [ErrVersion] if it cannot. Who only looks calls it in place of
	// Migrate.
	Check(ctx context.Context) error

	// EnsureTables creates the tables that do not exist, and adds columns and indexes to those that lack them, under a
	// lock. A column is added if it may be NULL or has a default. Any other difference is a *[DriftError] that shows
	// both; nothing is changed then. Processes that know fewer columns can go on writing.
	EnsureTables(ctx context.Context, tables ...*Table) error

	// Diff says what EnsureTables would do about each of the tables, in their order, and changes nothing.
	Diff(ctx context.Context, tables ...*Table) ([]TableDiff, error)

	// Acquire takes the lease of a projection that nobody holds, or whose lease has expired, and bumps its epoch.
	// While someone else holds it the error is a *[HeldError]. A projection seen for the first time starts at
	// Claim.Start. If the rows were built by another definition (see [Claim.Fits]) the error is a *[DefinitionError] and
	// nothing changes. The lease of a shard, see [ShardName], is not made but by [ShardStore.Divide]: a *[ShardsError]
	// says that the projection is divided in another way.
	Acquire(ctx context.Context, claim Claim) (Lease, error)

	// List returns the state of every projection that was ever acquired, ordered by name. Shards are listed under their
	// projection.
	List(ctx context.Context) ([]Status, error)

	// Reset empties the tables and forgets position, counters, fingerprint and identity of the log, in one
	// transaction. A table that differs from its definition is made anew as defined; views of
	// [ViewStore.EnsureViews] that use it may be gone then. It returns a *[HeldError] while somebody owns the projection, and [ErrUnknownProjection] if there
	// is none of that name.
	Reset(ctx context.Context, name string, tables ...*Table) error

	// Rows calls yield with the rows of a table in the order of its primary key, until yield returns false. At most
	// limit rows; 0 means all. A row has the table's columns in their order; see [Type] for the Go types. The slice is
	// valid during the call only.
	Rows(ctx context.Context, table *Table, limit int, yield func(row []any) bool) error

	// Count returns how many rows a table has.
	Count(ctx context.Context, table *Table) (int64, error)

	// Classify says what kind of failure an error is that came from this store, or from a handler that used the
	// transaction of [Tx.Native] or another connection of the same driver. It knows more than the function [Classify].
	Classify(err error) Class

	// Close releases the connections. Leases that are still held expire by themselves.
	Close() error
}

// Claim asks for the lease of a projection.
type Claim struct {
	Name        string        // of the projection; not empty
	Owner       string        // who asks, for people to read: host and process
	TTL         time.Duration // how long the lease lives without a commit or a renewal, by the clock of the database
	Fingerprint string        // of the definition, see [Fingerprint]; empty = not checked
	Start       Position      // where a projection starts that was never acquired before

	// Instance of the one that asks, different for each start of a process and not used for two claims of one projection
	// at once. Who could not release its lease, as the database was away, gets it again at once. uuid.Nil is nobody.
	Instance uuid.UUID
}

// Owned reports whether the lease that instance holds is the claimant's own.
func (c *Claim) Owned(instance uuid.UUID) bool {
	return c.Instance != uuid.Nil && c.Instance == instance
}

// Validate reports every mistake in the claim, joined, as [ErrInvalid].
func (c *Claim) Validate() error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, fmt.Errorf("%w: claim has no name of a projection", ErrInvalid))
	}
	if strings.ContainsRune(c.Name+c.Owner+c.Fingerprint, 0) || !utf8.ValidString(c.Name+c.Owner+c.Fingerprint) {
		errs = append(errs, fmt.Errorf("%w: projection %q: name, owner and fingerprint must be UTF-8 without NUL", ErrInvalid, c.Name))
	}
	if c.TTL < MinTTL {
		errs = append(errs, fmt.Errorf("%w: projection %q: ttl of the lease is %v, must be at least %v", ErrInvalid, c.Name, c.TTL, MinTTL))
	}
	return errors.Join(errs...)
}

// MinTTL is the shortest time that a lease can live.
const MinTTL = 10 * time.Millisecond

// Lease is the right to change one projection. All methods but Release fail with [ErrFenced] once somebody else has
// taken over. A lease is used by one goroutine at a time, except that Load, Renew and Report may run beside the other
// methods: the next batch is folded while the last one is committed.
type Lease interface {
	// Name of the projection.
	Name() string
	// Epoch counts the takeovers of this projection; it fences every commit and is the fencing token of handlers.
	Epoch() int64
	// Position is the last committed one.
	Position() Position
	// LastEvent identifies the event at or before Position that was seen last; its ID is uuid.Nil if none was.
	LastEvent() EventRef

	// Load fetches the rows with the given keys (in the order of Table.Key) as they are in the database. The result
	// has one entry for each key, nil where there is no row.
	Load(ctx context.Context, table *Table, keys [][]any) ([][]any, error)

	// Commit applies a change in one transaction, and renews the lease. [ErrFenced] means that nothing was applied
	// because the lease was lost. After any other error, except where it wraps a *[RowError], the outcome may be
	// unknown: the owner must give the lease up and acquire it again to learn the position.
	Commit(ctx context.Context, change Change) error

	// Prune deletes rows of a table that are too old for its Prune, the oldest first and at most limit, and renews the
	// lease. Their age is counted up to now; if now is zero, up to [PruneMargin] before what the clock of the database says.
	// It returns how many were deleted.
	Prune(ctx context.Context, table *Table, now time.Time, limit int) (int64, error)

	// Begin opens a transaction for handlers that write through it, to be ended by [Tx.Commit] or [Tx.Rollback].
	Begin(ctx context.Context) (Tx, error)

	// Renew extends the lease by its TTL.
	Renew(ctx context.Context) error

	// Report stores what the projection is doing, for [Store.List]; reason may be empty.
	Report(ctx context.Context, state, reason string) error

	// Release gives the lease up, so that another owner can take over at once. It is idempotent, and not an error
	// after the lease was lost.
	Release(ctx context.Context) error
}

// Tx is an open transaction of the database under a lease.
type Tx interface {
	// Native returns the driver's transaction: pgx.Tx, *sql.Tx.
	Native() any
	// Commit applies the change in this transaction and commits, with the errors of [Lease.Commit].
	Commit(ctx context.Context, change Change) error
	// Rollback abandons the transaction. It is idempotent, and does nothing after Commit.
	Rollback(ctx context.Context) error
}

// Change is what one commit does.
type Change struct {
	From Position // must be the stored position, else ErrFenced
	To   Position // may equal From: then only counters and rows change

	Last    EventRef // last event seen; the zero value leaves the stored one
	Handled int64    // events that a handler has seen, added to the counter
	Ignored int64    // events passed over because no handler wants them, added to the counter

	Writes []TableWrite // rows to write, one entry at most for each table

	Parking // parked events, commands

	Dedupe Dedupe // ids of events, for logs that deliver one again
}

// TableWrite is what one commit does to one table. A key occurs at most once among Upserts and Deletes together.
type TableWrite struct {
	Table   *Table
	Upserts [][]any // whole rows, in the order of Table.Columns
	Deletes [][]any // keys, in the order of Table.Key
}

// EventRef names one event of a log, to recognise the log again.
type EventRef struct {
	ID       uuid.UUID
	Position Position
}

// Status is the stored state of one projection.
type Status struct {
	Name        string
	Epoch       int64
	Owner       string    // empty = nobody
	Expires     time.Time // of the lease, by the clock of the database; zero = nobody owns it
	Held        bool      // somebody owns it now, by the clock of the database
	Position    Position
	LastEvent   EventRef
	Fingerprint string
	Handled     int64
	Ignored     int64
	Skipped     int64  // of a [ParkingStore]
	Parked      int64  // parked now, of a [ParkingStore]
	State       string // as last reported by the owner
	Reason      string
	Updated     time.Time // of the last commit or report

	// Shards of a projection that a [ShardStore] has divided; nil for every other. What is said above is then said of all
	// of them: Epoch is the highest, Owner lists those there are, Expires is the first to come, Held that somebody owns
	// one, Position the rearmost, the counters are sums, State and Reason are empty unless they are the same for all.
	Shards []Status
}
