package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// Stream is one stream of events. Its positions are event numbers.
func Stream(client *esclient.Client, name string) source.Source {
	return &stream{client: client, name: name, title: "stream " + name}
}

// Category is all streams whose names start with a category and a dash, in the order of the log. The server must run its
// projection $by_category, which keeps the stream of links $ce-category; positions are event numbers of that. Links are
// resolved.
func Category(client *esclient.Client, category string) source.Source {
	return &stream{client: client, name: "$ce-" + category, title: "category " + category}
}

type stream struct {
	client *esclient.Client
	name   string
	title  string
}

func (s *stream) String() string { return s.title }

// Log implements [source.Shareable].
func (s *stream) Log() any { return s.client }

// Subscribe implements [source.Source].
func (s *stream) Subscribe(_ context.Context, after checkpoint.Position) (source.Subscription, error) {
	n, err := numberOf(after)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	sub := s.client.SubscribeStream(s.name, esclient.AfterNumber(n), esclient.SubscribeOptions{})
	return &subscription{
		source: s, sub: sub, convert: fromStream, position: streamPosition, witness: witness{client: s.client, source: s, at: after},
	}, nil
}

// numberOf returns the event number of a position, -1 for the start.
func numberOf(p checkpoint.Position) (int64, error) {
	n, ok := p.Number()
	switch {
	case p.IsStart():
		return -1, nil
	case !ok:
		return 0, fmt.Errorf("%w: position %v is no event number: it is of another kind of source", source.ErrRefused, p)
	}
	return n, nil
}

// Head implements [source.Source].
func (s *stream) Head(ctx context.Context) (checkpoint.Position, error) {
	last, err := s.last(ctx)
	if err != nil || last < 0 {
		return checkpoint.Position{}, err
	}
	return checkpoint.AtNumber(last), nil
}

// last returns the number of the last event, -1 if there is none that can be read.
func (s *stream) last(ctx context.Context) (int64, error) {
	page, err := s.client.ReadStream(ctx, s.name, esclient.EndOfStream, esclient.ReadOptions{
		Backward: true, PageSize: 1, KeepLinks: true,
	})
	if errors.Is(err, esclient.ErrStreamNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, translate(s, err)
	}
	return page.Last, nil
}

// written returns the number of the last event that was ever written, though it may not be readable any more; -1 if none was.
func (s *stream) written(ctx context.Context) (int64, error) {
	page, err := s.client.ReadStream(ctx, s.name, esclient.EndOfStream, esclient.ReadOptions{
		Backward: true, PageSize: 1, KeepLinks: true,
	})
	if err != nil && !errors.Is(err, esclient.ErrStreamNotFound) {
		return 0, translate(s, err)
	}
	return page.Last, nil
}

// EventAt implements [source.Source].
func (s *stream) EventAt(ctx context.Context, at checkpoint.Position) (source.Event, error) {
	n, err := numberOf(at)
	if err == nil && n < 0 {
		err = fmt.Errorf("%w: %v is before the first event", source.ErrGone, at)
	}
	if err != nil {
		return source.Event{}, fmt.Errorf("%s: %w", s, err)
	}
	e, err := s.client.ReadEvent(ctx, s.name, n, esclient.ReadOptions{})
	if err == nil {
		var out source.Event
		fromStream(&out, &e)
		return out, nil
	}
	if !errors.Is(err, esclient.ErrEventNotFound) && !errors.Is(err, esclient.ErrStreamNotFound) {
		return source.Event{}, translate(s, err)
	}
	return source.Event{}, s.notFound(ctx, n)
}

// notFound says why event n cannot be read: it is not there any more, or it never was.
func (s *stream) notFound(ctx context.Context, n int64) error {
	last, err := s.written(ctx)
	switch {
	case err != nil:
		return err
	case last < 0:
		return fmt.Errorf("%s: %w: event %d of a stream that does not exist", s, source.ErrBeyondHead, n)
	case n > last:
		return fmt.Errorf("%s: %w: event %d, the last one is %d", s, source.ErrBeyondHead, n, last)
	}
	return fmt.Errorf("%s: %w: event %d", s, source.ErrGone, n)
}

// Advance implements [source.Source].
func (s *stream) Advance(p checkpoint.Position, events []source.Event) checkpoint.Position {
	return source.LastOf(p, events)
}

func streamPosition(b *esclient.Batch) checkpoint.Position {
	if b.Number < 0 {
		return checkpoint.Position{}
	}
	return checkpoint.AtNumber(b.Number)
}
