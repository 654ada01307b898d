package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// All is the whole log, filtered: in the server from 20.6 on, else here. Its positions are log positions. Links are not
// resolved: what they point to is in the log as well. The user of the client must be allowed to read $all.
func All(client *esclient.Client, filter Filter) source.Source {
	return &all{client: client, filter: filter}
}

type all struct {
	client      *esclient.Client
	filter      Filter
	unsupported atomic.Bool // the server does not filter
}

func (s *all) String() string { return s.filter.String() }

// Log implements [source.Shareable].
func (s *all) Log() any { return s.client }

// Subscribe implements [source.Source].
func (s *all) Subscribe(_ context.Context, after checkpoint.Position) (source.Subscription, error) {
	from, err := fromOf(after)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	b := &allSubscription{all: s, after: after, from: from}
	b.subscription, b.filtered = s.subscribe(after, from)
	return b, nil
}

// subscribe filters in the server unless that is known not to.
func (s *all) subscribe(after checkpoint.Position, from esclient.From) (sub *subscription, filtered bool) {
	o := esclient.SubscribeOptions{KeepLinks: true}
	if !s.unsupported.Load() {
		o.Filter = s.filter.server()
	}
	return &subscription{
		source: s, sub: s.client.SubscribeAll(from, o), convert: fromLog, position: logPosition, wants: s.filter.wants,
		witness: witness{client: s.client, source: s, at: after},
	}, o.Filter != nil
}

// allSubscription starts again without the server's filter if the server has none.
type allSubscription struct {
	*subscription
	all      *all
	after    checkpoint.Position
	from     esclient.From
	filtered bool
}

// Next implements [source.Subscription].
func (b *allSubscription) Next(ctx context.Context) (source.Batch, error) {
	batch, err := b.subscription.Next(ctx)
	if !b.filtered || !errors.Is(err, esclient.ErrUnsupported) {
		return batch, err
	}
	b.all.unsupported.Store(true)
	b.subscription, b.filtered = b.all.subscribe(b.after, b.from) // nothing was delivered: the first request was refused
	return b.subscription.Next(ctx)
}

func fromOf(p checkpoint.Position) (esclient.From, error) {
	commit, prepare, ok := p.Log()
	switch {
	case p.IsStart():
		return esclient.FromStart(), nil
	case !ok:
		return esclient.From{}, fmt.Errorf("%w: position %v is no log position: it is of another kind of source", source.ErrRefused, p)
	}
	return esclient.AfterPosition(esclient.Position{Commit: commit, Prepare: prepare}), nil
}

// Head implements [source.Source]. It is that of the log: what the filter drops is passed over.
func (s *all) Head(ctx context.Context) (checkpoint.Position, error) {
	page, err := s.client.ReadAll(ctx, esclient.End(), esclient.ReadOptions{Backward: true, PageSize: 1, KeepLinks: true})
	if err != nil {
		return checkpoint.Position{}, translate(s, err)
	}
	if len(page.Events) == 0 {
		return checkpoint.Position{}, nil
	}
	p := page.Events[0].Position
	return checkpoint.AtLog(p.Commit, p.Prepare), nil
}

// EventAt implements [source.Source].
func (s *all) EventAt(ctx context.Context, at checkpoint.Position) (source.Event, error) {
	commit, prepare, ok := at.Log()
	if !ok {
		return source.Event{}, fmt.Errorf("%s: %w: position %v is no log position", s, source.ErrRefused, at)
	}
	from := esclient.Position{Commit: commit, Prepare: prepare}
	page, err := s.client.ReadAll(ctx, from, esclient.ReadOptions{PageSize: 1, KeepLinks: true})
	var answer *esclient.ServerError
	switch {
	case errors.As(err, &answer) && answer.Result == "Error":
		// The position is in the middle of a record: it is of another log.
		return source.Event{}, fmt.Errorf("%s: %w: %v: %w", s, source.ErrBeyondHead, at, err)
	case err != nil:
		return source.Event{}, translate(s, err)
	case len(page.Events) == 0:
		return source.Event{}, fmt.Errorf("%s: %w: %v", s, source.ErrBeyondHead, at)
	case page.Events[0].Position != from:
		return source.Event{}, fmt.Errorf("%s: %w: %v", s, source.ErrGone, at)
	}
	var e source.Event
	fromLog(&e, &page.Events[0])
	return e, nil
}

// Advance implements [source.Source].
func (s *all) Advance(p checkpoint.Position, events []source.Event) checkpoint.Position {
	return source.LastOf(p, events)
}

func logPosition(b *esclient.Batch) checkpoint.Position {
	if b.Position.Commit < 0 {
		return checkpoint.Position{}
	}
	return checkpoint.AtLog(b.Position.Commit, b.Position.Prepare)
}
