package esclient

import (
	"cmp"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/codec"
)

// Event is an event as it was read. Its bytes belong to it.
type Event struct {
	ID       uuid.UUID
	Type     string
	Stream   string // the event's own, which a link may have led to
	Number   int64  // in Stream; [Tombstone] for the event that ends a deleted stream
	Data     []byte
	Metadata []byte
	JSON     bool      // written as JSON
	Created  time.Time // UTC; zero where the server does not say

	// Link is the link that led to the event. If its target cannot be resolved, Link.Unresolved is true and the event is
	// nothing but Stream and Number of the target as far as the link's data says.
	Link *Link

	// Position of the received record in the log. Set by reads and subscriptions of $all, and by live events; zero else.
	Position Position

	// RetryCount says how often a persistent subscription has delivered the event before. Always 0 before server 4.1.
	RetryCount int
}

// Tombstone is the event number of the record that ends a deleted stream.
const Tombstone = 1<<63 - 1

// Link is a record that points at an event, as in the stream of a category.
type Link struct {
	ID         uuid.UUID
	Stream     string
	Number     int64
	Data       []byte // number@stream
	Metadata   []byte
	Created    time.Time
	Unresolved bool // the target does not exist (any more), or Data is not number@stream
}

// RecordID is the id of what was received: the link if there is one, else the event. Acks refer to it.
func (e *Event) RecordID() uuid.UUID {
	if e.Link != nil {
		return e.Link.ID
	}
	return e.ID
}

// RecordNumber is the number of what was received in the stream it was received from. Checkpoints refer to it.
func (e *Event) RecordNumber() int64 {
	if e.Link != nil {
		return e.Link.Number
	}
	return e.Number
}

// NewEvent is an event to be written.
type NewEvent struct {
	ID   uuid.UUID // zero = made at random
	Type string    // not empty

	// Body and Metadata become the bytes of the event. []byte is taken as it is, and is binary; json.RawMessage is taken
	// as it is, and is JSON; nil is empty; every other value goes through Codec.
	Body     any
	Metadata any

	Codec codec.Codec // nil = that of the client, JSON unless told otherwise
}

// Position is a place in the log of all events ($all). Positions are offsets, not counters.
type Position struct {
	Commit  int64
	Prepare int64
}

// Start returns the position before the first event.
func Start() Position { return Position{} }

// End returns the position behind the last event, at the time of the request.
func End() Position { return Position{Commit: -1, Prepare: -1} }

// Compare is negative if p is before q, 0 if they are the same, positive if p is behind q.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Commit, q.Commit); c != 0 {
		return c
	}
	return cmp.Compare(p.Prepare, q.Prepare)
}

func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Commit, p.Prepare) }

// ExpectedVersion is the state a stream must be in for a write to succeed: the number of its last event, or one of the
// constants.
type ExpectedVersion int64

// Expected versions that are not event numbers.
const (
	NoStream     ExpectedVersion = -1 // no events, or deleted softly
	Any          ExpectedVersion = -2 // no check
	StreamExists ExpectedVersion = -4 // has events, or metadata; appends only
)

func (v ExpectedVersion) String() string {
	switch v {
	case NoStream:
		return "no stream"
	case Any:
		return "any version"
	case StreamExists:
		return "stream exists"
	}
	return fmt.Sprintf("%d", int64(v))
}

// WriteResult says where events were written.
type WriteResult struct {
	First, Last int64    // event numbers; Last is the next expected version
	Position    Position // of the last event; -1/-1 where the server had written it before and does not say
}
