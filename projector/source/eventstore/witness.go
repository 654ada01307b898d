package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// witness makes sure that it is still the same log whenever the client has connected anew. Meanwhile a backup may have been
// restored, or another server may have been given the address; to read on there after the position in the old log would
// mix the two, or wait in silence for the new one to become as long.
type witness struct {
	client *esclient.Client
	source source.Source

	at         checkpoint.Position // of the last event that was seen
	id         uuid.UUID           // its record; uuid.Nil = none is known
	connection int64               // the one on which it was seen last; 0 = nothing was done yet
}

const (
	// lagPatience is how long the event may be missing: after an election the new node may have to catch up first.
	lagPatience = 10 * time.Second
	lagPause    = 500 * time.Millisecond

	cure = "point the source at the old log, or reset the projection to build it anew from this one"
)

// saw notes the last event that was delivered.
func (w *witness) saw(events []source.Event) {
	if n := len(events); n > 0 {
		w.at, w.id = events[n-1].Position, events[n-1].RecordID()
	}
}

// check is called with everything that has come, before it is delivered: that was read on the present connection, or an
// earlier one.
func (w *witness) check(ctx context.Context) error {
	connection := w.client.Stats().Connections
	switch {
	case connection == w.connection:
		return nil
	case w.connection > 0:
		if err := w.compare(ctx); err != nil {
			return err
		}
	case !w.at.IsStart(): // the framework has compared what stands here with what it knows just before it subscribed
		if e, err := w.source.EventAt(ctx, w.at); err == nil {
			w.id = e.RecordID()
		}
	}
	w.connection = connection
	return nil
}

// compare reads the last event again.
func (w *witness) compare(ctx context.Context) error {
	if w.id == uuid.Nil {
		return nil
	}
	for began := time.Now(); ; {
		e, err := w.source.EventAt(ctx, w.at)
		switch {
		case errors.Is(err, source.ErrGone): // truncated; there is nothing to compare
			return nil
		case errors.Is(err, source.ErrBeyondHead):
			if time.Since(began) >= lagPatience {
				return fmt.Errorf("%s: %w: event %v was read at position %v before, but after a reconnect the log ends earlier; %s: %w",
					w.source, source.ErrOtherLog, w.id, w.at, cure, err)
			}
			if err := pause(ctx, lagPause); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case e.RecordID() != w.id:
			return fmt.Errorf("%s: %w: event %v was read at position %v before, but after a reconnect there is event %v; %s",
				w.source, source.ErrOtherLog, w.id, w.at, e.RecordID(), cure)
		}
		return nil
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
