package importer

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
)

var errCut = errors.New("cut")

// fakeLog follows the rules of the event store for exact expected versions.
type fakeLog struct {
	mu      sync.Mutex
	streams map[string][]uuid.UUID
	all     []uuid.UUID // in the order in which they were written
	appends int

	// fate decides what becomes of an append: it is carried out, and reported as it is.
	fate func(n int) (carryOut bool, report error)
}

func newFakeLog() *fakeLog { return &fakeLog{streams: map[string][]uuid.UUID{}} }

func (f *fakeLog) Append(_ context.Context, stream string, last int64, events []Event) func() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.appends++
	carryOut, report := true, error(nil)
	if f.fate != nil {
		carryOut, report = f.fate(f.appends)
	}
	if carryOut {
		if err := f.write(stream, last, events); err != nil && report == nil {
			report = err
		}
	}
	return func() (int64, error) { return last + 1, report }
}

func (f *fakeLog) write(stream string, last int64, events []Event) error {
	held := f.streams[stream]
	switch current := int64(len(held)) - 1; {
	case last > current:
		return ErrMoved
	case last < current:
		for i, e := range events {
			if at := last + 1 + int64(i); at > current || held[at] != e.ID {
				return ErrMoved
			}
		}
		return nil // idempotent
	}
	for _, e := range events {
		f.streams[stream] = append(f.streams[stream], e.ID)
		f.all = append(f.all, e.ID)
	}
	return nil
}

func (f *fakeLog) add(stream string, ids ...uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams[stream] = append(f.streams[stream], ids...)
}

func (f *fakeLog) Last(ctx context.Context, stream string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held := f.streams[stream]
	if len(held) == 0 {
		return Record{Number: NoEvents}, nil
	}
	return Record{Number: int64(len(held)) - 1, ID: held[len(held)-1]}, nil
}

func (f *fakeLog) Forward(ctx context.Context, stream string, from int64, n int) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var records []Record
	held := f.streams[stream]
	for i := from; i < int64(len(held)) && len(records) < n; i++ {
		records = append(records, Record{i, held[i]})
	}
	return records, nil
}

func (f *fakeLog) Backward(ctx context.Context, stream string, from int64, n int) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var records []Record
	held := f.streams[stream]
	for i := min(from, int64(len(held))-1); i >= 0 && len(records) < n; i-- {
		records = append(records, Record{i, held[i]})
	}
	return records, nil
}
