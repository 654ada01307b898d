package importer

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// ErrMoved means that the last event of a stream is not the one that an append expected, or that it is not known whether
// the append was carried out.
var ErrMoved = errors.New("the stream has moved on")

// NoEvents is the number of the last event of a stream that has none.
const NoEvents = -1

// Event is an event to append. Data and metadata are JSON.
type Event struct {
	ID       uuid.UUID
	Type     string
	Data     []byte
	Metadata []byte
}

// Record is what the log holds at a number of a stream.
type Record struct {
	Number int64
	ID     uuid.UUID
}

// Log is the event log that is imported into.
type Log interface {
	// Append begins to append events of one stream whose last event must be number last. Appends are carried out in the
	// order of the calls. Wait, to be called once, returns the number of the first event when they are safe. Its error
	// is [ErrMoved] where looking into the stream tells what to do.
	Append(ctx context.Context, stream string, last int64, events []Event) (wait func() (first int64, err error))
	// Last returns the last event of a stream; its Number is [NoEvents] if there is none.
	Last(ctx context.Context, stream string) (Record, error)
	// Forward returns up to n events from a number on, fewer only at the end of the stream.
	Forward(ctx context.Context, stream string, from int64, n int) ([]Record, error)
	// Backward returns up to n events from a number down, fewer only at the start of the stream.
	Backward(ctx context.Context, stream string, from int64, n int) ([]Record, error)
}
