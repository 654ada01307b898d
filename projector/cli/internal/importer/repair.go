package importer

import (
	"context"
	"errors"
	"fmt"
)

const repairs = 10 // attempts for one batch; each loses only if the stream moves on under it

// repair appends what a stream lacks of a batch. Nothing else is in flight.
func (im *importer) repair(ctx context.Context, b *batch) error {
	for range repairs {
		held, err := im.compare(ctx, b)
		if err != nil {
			return err
		}
		im.done += held
		im.report()
		b.events, b.lines = b.events[held:], b.lines[held:]
		if im.opts.Append {
			b.stream.tail = b.last + int64(len(b.events))
		}
		if len(b.events) == 0 {
			return nil
		}
		b.wait = im.log.Append(ctx, b.stream.name, b.last, b.events)
		if err := im.outcome(b); !errors.Is(err, ErrMoved) {
			return err
		}
	}
	return fmt.Errorf("%s:%d: stream %s: %w %d times under the import; is something else appending to it?",
		im.file.name, b.lines[0], b.stream.name, ErrMoved, repairs)
}

// compare returns how many events of a batch the stream holds, and moves the place where the rest belongs: after these,
// or with Options.Append to the end of the stream.
func (im *importer) compare(ctx context.Context, b *batch) (held int, err error) {
	for held < len(b.events) || im.opts.Append {
		records, err := im.log.Forward(ctx, b.stream.name, b.last+1, pageSize)
		if err != nil || len(records) == 0 {
			return held, err
		}
		for _, r := range records {
			switch {
			case held < len(b.events) && r.ID == b.events[held].ID:
				held++
			case im.opts.Append: // somebody else's, or a later line's
			case held < len(b.events):
				return held, &ContinuedError{File: im.file.name, Line: b.lines[held], Stream: b.stream.name, Number: r.Number}
			default:
				return held, nil
			}
			b.last = r.Number
		}
	}
	return held, nil
}
