package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/cli/internal/importer"
)

// esLog is the event store as the importer sees it.
type esLog struct{ client *esclient.Client }

func (l esLog) Append(ctx context.Context, stream string, last int64, events []importer.Event) func() (int64, error) {
	batch := make([]esclient.NewEvent, len(events))
	for i, e := range events {
		batch[i] = esclient.NewEvent{ID: e.ID, Type: e.Type, Body: json.RawMessage(e.Data)}
		if e.Metadata != nil {
			batch[i].Metadata = json.RawMessage(e.Metadata)
		}
	}
	pending := l.client.AppendAsync(ctx, stream, esclient.ExpectedVersion(last), batch...)
	return func() (int64, error) {
		result, err := pending.Wait(ctx)
		if errors.Is(err, esclient.ErrWrongExpectedVersion) || errors.Is(err, esclient.ErrUnknownOutcome) {
			err = fmt.Errorf("%w: %w", importer.ErrMoved, err)
		}
		return result.First, err
	}
}

func (l esLog) Last(ctx context.Context, stream string) (importer.Record, error) {
	e, err := l.client.ReadEvent(ctx, stream, esclient.EndOfStream, esclient.ReadOptions{KeepLinks: true})
	if errors.Is(err, esclient.ErrStreamNotFound) || errors.Is(err, esclient.ErrEventNotFound) {
		return importer.Record{Number: importer.NoEvents}, nil
	}
	return record(e), err
}

func (l esLog) Forward(ctx context.Context, stream string, from int64, n int) ([]importer.Record, error) {
	return l.read(ctx, stream, from, esclient.ReadOptions{Max: n, PageSize: n, KeepLinks: true})
}

func (l esLog) Backward(ctx context.Context, stream string, from int64, n int) ([]importer.Record, error) {
	return l.read(ctx, stream, from, esclient.ReadOptions{Max: n, PageSize: n, KeepLinks: true, Backward: true})
}

func (l esLog) read(ctx context.Context, stream string, from int64, o esclient.ReadOptions) ([]importer.Record, error) {
	var records []importer.Record
	for e, err := range l.client.StreamEvents(ctx, stream, from, o) {
		if errors.Is(err, esclient.ErrStreamNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		records = append(records, record(e))
	}
	return records, nil
}

func record(e esclient.Event) importer.Record { return importer.Record{Number: e.Number, ID: e.ID} }
