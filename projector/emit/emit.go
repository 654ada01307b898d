package emit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
)

var (
	// ErrNoEvent means that the context is not that of a handler, so that it is not known which event is being handled.
	ErrNoEvent = errors.New("emit: no event is being handled: want the context of a handler")
	// ErrMetadata means that the metadata of an event is not a JSON object, and can say nothing of causation.
	ErrMetadata = errors.New("emit: metadata is not a JSON object")
)

// Append appends events to a stream because of the one that is being handled. ctx is that of the handler.
//
// If the event store cannot be reached, or does not answer before ctx ends, the error is one of [projector.Unavailable]: the projection waits for it. All other
// errors are those of [esclient.Client.Append].
func Append(
	ctx context.Context, c *esclient.Client, stream string, expected esclient.ExpectedVersion, events ...esclient.NewEvent,
) (esclient.WriteResult, error) {
	events, err := Prepare(ctx, events...)
	if err != nil {
		return esclient.WriteResult{}, err
	}
	result, err := c.Append(ctx, stream, expected, events...)
	if unreachable(err) {
		err = projector.Unavailable(err)
	}
	return result, err
}

// Prepare returns the events with ids and metadata, for who appends them by other means than [Append], such as a transaction.
// An id or a member of the metadata that is set already stays.
func Prepare(ctx context.Context, events ...esclient.NewEvent) ([]esclient.NewEvent, error) {
	cause, ok := projector.FromContext(ctx)
	if !ok {
		return nil, ErrNoEvent
	}
	ids, _ := projector.EmittedIDs(ctx, len(events))
	relations := cause.FollowUp()
	prepared := make([]esclient.NewEvent, len(events))
	for i, e := range events {
		if e.ID == uuid.Nil {
			e.ID = ids[i]
		}
		metadata, err := merge(relations, e.Metadata)
		if err != nil {
			return nil, fmt.Errorf("event %d (%s): %w", i, e.Type, err)
		}
		e.Metadata = metadata
		prepared[i] = e
	}
	return prepared, nil
}

// merge adds to metadata what they do not say of causation, correlation and trace.
func merge(relations []byte, metadata any) (json.RawMessage, error) {
	if metadata == nil {
		return relations, nil
	}
	own, isBytes := metadata.([]byte)
	if !isBytes {
		var err error
		if own, err = json.Marshal(metadata); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
		}
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(relations, &members); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(own, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	return json.Marshal(members)
}

// unreachable reports whether an append failed because there was nobody to do it, or to say that it was done.
func unreachable(err error) bool {
	for _, e := range []error{
		esclient.ErrNotConnected, esclient.ErrTimeout, esclient.ErrNotHandled, esclient.ErrUnknownOutcome, esclient.ErrClosed,
		context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
