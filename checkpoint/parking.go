package checkpoint

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrUnknownCommand means that the store has no command of that number.
var ErrUnknownCommand = errors.New("unknown command")

// CommandRetention is how long a command is kept at least after it was executed.
const CommandRetention = 7 * 24 * time.Hour

// ParkingStore is what a [Store] can do that keeps parked events and commands. Its leases are [ParkingLease]s.
type ParkingStore interface {
	Store

	// Parked returns parked events of a projection in the order in which they were parked: at most limit, 0 means all,
	// with numbers greater than after, of one ordering key or, if key is nil, of all. Those of a divided projection are
	// those of all its shards.
	Parked(ctx context.Context, projection string, key *string, after int64, limit int) ([]Parked, error)

	// Send stores a command for the owner of a projection, and returns its number. Anybody may. It fails with
	// [ErrUnknownProjection] if there is none of that name, and with [ErrShards] if it is divided: each shard has an owner
	// of its own, see [ShardName]. Commands are forgotten some time after they were executed, see [CommandRetention].
	Send(ctx context.Context, projection string, c Command) (number int64, err error)

	// Command returns a command, with its answer if the owner has executed it, or [ErrUnknownCommand].
	Command(ctx context.Context, number int64) (Command, error)
}

// ParkingLease is what a [Lease] of a [ParkingStore] can do.
type ParkingLease interface {
	Lease

	// ParkedKeys counts the parked events of each ordering key that has any. It may run beside the other methods.
	ParkedKeys(ctx context.Context) (map[string]int64, error)

	// CountParked counts the parked events whose error is of a class, without loading them. It may run beside the other
	// methods.
	CountParked(ctx context.Context, class string) (int64, error)

	// Parked is [ParkingStore.Parked] for this projection. It may run beside the other methods.
	Parked(ctx context.Context, key *string, after int64, limit int) ([]Parked, error)

	// Commands returns the commands that have no answer yet, oldest first. It may run beside the other methods.
	Commands(ctx context.Context) ([]Command, error)

	// Deaths counts the owners in a row that did not release the lease but let it run out, and had moved the position
	// by no commit. An owner that acquires its own lease again, see Claim.Instance, has not died.
	Deaths() int

	// Marker is what the last owner had marked, if it died; the zero value otherwise. Acquiring the lease removes the
	// mark, so that it is not taken for that of the next owner.
	Marker() Marker

	// Mark notes that an event is about to be handled on its own. Every commit removes the mark, and sets the count of
	// deaths to 0 if it moves the position.
	Mark(ctx context.Context, m Marker) error
}

// Marker names the event that an owner was at, so that the next one knows if the process has died.
type Marker struct {
	Event  uuid.UUID // RecordID of the event
	Deaths int       // that this event was marked for before
}

// Parked is an event that was put aside because it could not be handled, or because an earlier one of its ordering key was.
type Parked struct {
	Number int64  // given by the store, increasing, never used again
	Key    string // ordering key

	Position Position
	ID       uuid.UUID
	Type     string
	Stream   string
	EventNo  int64 // in Stream
	Data     []byte
	Metadata []byte
	JSON     bool
	Created  time.Time
	Link     *ParkedLink // the link that led to the event, if one did

	Class      string    // of the error; empty = waits behind another event of its key
	Error      string    // with all that it wraps
	Attempts   int       // in all, before it was parked and after
	At         time.Time // when it was parked, by the clock of the database
	FirstTried time.Time // first attempt, by the clock of the process; zero = never tried, or parked by an earlier release
	Tried      time.Time // last attempt, by the clock of the process; zero = never tried
}

// ParkedLink is the link that led to a parked event.
type ParkedLink struct {
	ID         uuid.UUID
	Stream     string
	Number     int64
	Unresolved bool
}

// Retry notes another failed attempt at a parked event.
type Retry struct {
	Number   int64 // of the parked event
	Class    string
	Error    string
	Attempts int // in all
	Tried    time.Time
}

// Command asks the owner of a projection for something, between two batches.
type Command struct {
	Number  int64  // given by the store
	Name    string // what to do, such as "parked.retry"
	Args    []byte // JSON; may be empty
	By      string // who asks, for people to read
	Sent    time.Time
	Done    time.Time // zero = not executed yet
	Answer  string
	Refused bool // Answer says why it could not be done
}

// Answer is the outcome of a command, stored with the change that it made.
type Answer struct {
	Number  int64
	Text    string
	Refused bool
}

// Parking is the part of a [Change] that concerns parked events, commands and skipped events. Only a [ParkingLease] takes
// it into account.
type Parking struct {
	Park    []Parked // to be put aside, in order; Number and At are given by the store
	Unpark  []int64  // numbers of parked events that are handled or dropped
	Retries []Retry
	Answers []Answer
	Skipped int64 // failed events passed over because the policy says so, added to the counter
}
