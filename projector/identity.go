package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// checkLog compares the log with what the store remembers of it, so that a position is never applied to another log:
// a restored backup, a stream that was deleted and made again, another server behind the same address.
func checkLog(ctx context.Context, src source.Source, lease checkpoint.Lease, log *slog.Logger) error {
	if lease.Position().IsStart() {
		return nil
	}
	if c, ok := src.(source.Checker); ok {
		if err := c.Check(ctx, lease.Position()); errors.Is(err, source.ErrBeyondHead) {
			return fmt.Errorf("%w: %w; point the source at the old log, or reset the projection to build it anew from this one",
				ErrOtherLog, err)
		} else if err != nil {
			return fmt.Errorf("compare the position with the log: %w", err)
		}
	}
	last := lease.LastEvent()
	if last.ID == uuid.Nil {
		return checkHead(ctx, src, lease.Position())
	}
	e, err := src.EventAt(ctx, last.Position)
	switch {
	case errors.Is(err, source.ErrBeyondHead):
		return fmt.Errorf("%w: %s: event %v at position %v was handled before, but the log ends earlier; "+
			"point the source at the old log, or reset the projection to build it anew from this one",
			ErrOtherLog, src, last.ID, last.Position)
	case errors.Is(err, source.ErrGone):
		log.Warn("the last event handled is not readable any more, so it is not certain that this is the same log",
			keyPosition, last.Position.String(), keyErr, err)
		return nil
	case err != nil:
		return fmt.Errorf("read back the last event handled, at %v: %w", last.Position, err)
	case e.RecordID() != last.ID:
		return fmt.Errorf("%w: %s: at position %v there is event %v, but %v was handled there before; "+
			"point the source at the old log, or reset the projection to build it anew from this one",
			ErrOtherLog, src, last.Position, e.RecordID(), last.ID)
	}
	return nil
}

// checkHead is for positions behind which no event is known: the log must at least reach so far.
func checkHead(ctx context.Context, src source.Source, at checkpoint.Position) error {
	head, err := src.Head(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	if order, ok := at.Compare(head); ok && order > 0 {
		return fmt.Errorf("%w: %s: read up to %v before, but the log ends at %v", ErrOtherLog, src, at, head)
	}
	return nil
}
