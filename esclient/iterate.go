package esclient

import (
	"context"
	"iter"
)

// StreamEvents iterates over a stream from number from on, or from [EndOfStream] for a backward read, to its end. Pages
// are read ahead. The loop ends after an error, the errors being those of [Client.ReadStream].
func (c *Client) StreamEvents(ctx context.Context, stream string, from int64, o ReadOptions) iter.Seq2[Event, error] {
	p, err := c.newPages("read", stream, false, o)
	if err == nil {
		err = p.checkStart(from)
	}
	return iterate(ctx, p, cursor{number: from}, o.Max, err)
}

// AllEvents iterates over the log of all events from position from on to its end. Pages are read ahead. The loop ends
// after an error, the errors being those of [Client.ReadAll].
func (c *Client) AllEvents(ctx context.Context, from Position, o ReadOptions) iter.Seq2[Event, error] {
	p, err := c.newPages("read", "", true, o)
	return iterate(ctx, p, cursor{position: from}, o.Max, err)
}

func iterate(ctx context.Context, from pages, start cursor, limit int, invalid error) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if invalid != nil {
			yield(Event{}, invalid)
			return
		}
		if limit > 0 {
			from.size = min(from.size, limit)
		}
		p := pager{pages: from, next: start}
		defer p.cancel()
		for n := 0; ; {
			pg, events, err := p.read(ctx, nil)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for i := range events {
				if !yield(events[i], nil) {
					return
				}
				if n++; n == limit {
					return
				}
			}
			if pg.end {
				return
			}
		}
	}
}
