package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// StartAtEnd has a projection that the store does not know yet start with what is written from now on.
func StartAtEnd() Setting {
	return setting(func(s *settings) { s.findStart = endOf })
}

func endOf(ctx context.Context, src source.Source) (checkpoint.Position, error) {
	head, err := src.Head(ctx)
	if err != nil {
		return head, fmt.Errorf("ask for the end of %s: %w", src, err)
	}
	return head, nil
}

// StartAtTime has a projection that the store does not know yet start with the first event created at t or later. The source
// must be a [source.Timed], as those of package eventstore are.
func StartAtTime(t time.Time) Setting {
	return setting(func(s *settings) {
		s.findStart = func(ctx context.Context, src source.Source) (checkpoint.Position, error) {
			timed, ok := src.(source.Timed)
			if !ok {
				return checkpoint.Position{}, fmt.Errorf("%w: %s cannot be read from a time on, only from a position", source.ErrRefused, src)
			}
			at, err := timed.Before(ctx, t)
			if err != nil {
				return at, fmt.Errorf("find %v in %s: %w", t.Format(time.RFC3339Nano), src, err)
			}
			return at, nil
		}
	})
}

// StartAt sets where a projection starts that the store does not know yet. Defaults to the start of its source.
func StartAt(p checkpoint.Position) Setting {
	return setting(func(s *settings) { s.start, s.findStart = p, nil })
}
