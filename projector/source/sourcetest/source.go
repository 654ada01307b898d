package sourcetest

import (
	"context"
	"fmt"
	"sort"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// DefaultPageSize is how many events of the log one batch covers unless PageSize is set.
const DefaultPageSize = 500

// Source reads one stream of a [Log], or all of it.
type Source struct {
	PageSize int // events of the log covered by one batch at most

	log    *Log
	stream string // empty = all
	match  func(*source.Event) bool
}

var _ source.Shareable = (*Source)(nil)

func (s *Source) String() string {
	if s.stream == "" {
		return "all"
	}
	return "stream " + s.stream
}

// Log implements [source.Shareable]. Two sources with functions that match are never the same.
func (s *Source) Log() any {
	if s.match != nil {
		return nil
	}
	return s.log
}

// Advance implements [source.Source].
func (s *Source) Advance(p checkpoint.Position, events []source.Event) checkpoint.Position {
	return source.LastOf(p, events)
}

// Head implements [source.Source].
func (s *Source) Head(ctx context.Context) (checkpoint.Position, error) {
	if err := s.ask(ctx, OpHead); err != nil {
		return checkpoint.Position{}, err
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.head(), nil
}

func (s *Source) ask(ctx context.Context, op Op) error {
	if err := s.log.intercept(op); err != nil {
		return fmt.Errorf("%s: %s: %w", s, op, err)
	}
	return ctx.Err()
}

// head is where the source ends. The lock of the log is held, here and below.
func (s *Source) head() checkpoint.Position {
	if s.stream != "" {
		if n := len(s.log.streams[s.stream]); n > 0 {
			return checkpoint.AtNumber(int64(n - 1))
		}
		return checkpoint.Position{}
	}
	if n := len(s.log.events); n > 0 {
		return s.log.events[n-1].Position
	}
	return checkpoint.Position{}
}

// EventAt implements [source.Source].
func (s *Source) EventAt(ctx context.Context, at checkpoint.Position) (source.Event, error) {
	if err := s.ask(ctx, OpEventAt); err != nil {
		return source.Event{}, err
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	i := s.after(at) - 1
	switch {
	case i < 0 || i >= s.size():
		return source.Event{}, fmt.Errorf("%s: %w: %v", s, source.ErrBeyondHead, at)
	case s.gone(i):
		return source.Event{}, fmt.Errorf("%s: %w: %v", s, source.ErrGone, at)
	}
	e := s.at(i)
	if e.Position != at {
		return source.Event{}, fmt.Errorf("%s: %w: %v", s, source.ErrBeyondHead, at)
	}
	return e, nil
}

// size is the number of events that the source covers, matching or not.
func (s *Source) size() int {
	if s.stream != "" {
		return len(s.log.streams[s.stream])
	}
	return len(s.log.events)
}

// at is the i-th of them.
func (s *Source) at(i int) source.Event {
	if s.stream == "" {
		return s.log.events[i]
	}
	e := s.log.events[s.log.streams[s.stream][i]]
	e.Position = checkpoint.AtNumber(int64(i))
	return e
}

func (s *Source) gone(i int) bool {
	e := s.at(i)
	return e.Number < s.log.first[e.Stream]
}

// after is the index of the first event behind p.
func (s *Source) after(p checkpoint.Position) int {
	if n, ok := p.Number(); ok {
		return int(n) + 1
	}
	return sort.Search(len(s.log.events), func(i int) bool {
		order, _ := s.log.events[i].Position.Compare(p)
		return order > 0
	})
}

// Subscribe implements [source.Source].
func (s *Source) Subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	if err := s.ask(ctx, OpSubscribe); err != nil {
		return nil, err
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.open++
	s.log.opened++
	return &subscription{Source: s, id: s.log.opened, next: s.after(after), position: after}, nil
}

type subscription struct {
	*Source
	id       int
	next     int
	position checkpoint.Position
	live     bool // the last batch said so
	closed   bool
}

// Next implements [source.Subscription].
func (b *subscription) Next(ctx context.Context) (source.Batch, error) {
	if err := b.ask(ctx, OpNext); err != nil {
		return source.Batch{}, err
	}
	for {
		b.log.mu.Lock()
		changed := b.log.changed
		stalled := b.id <= b.log.stalled
		var batch source.Batch
		ok := false
		if !stalled {
			batch, ok = b.read()
		}
		b.log.mu.Unlock()
		if ok {
			return batch, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return source.Batch{}, ctx.Err()
		}
	}
}

func (b *subscription) read() (source.Batch, bool) {
	end := min(b.next+b.PageSize, b.size())
	live := end >= b.size()
	if end <= b.next && live == b.live {
		return source.Batch{}, false
	}
	batch := source.Batch{Position: b.position, Live: live}
	for ; b.next < end; b.next++ {
		e := b.at(b.next)
		batch.Position = e.Position
		if !b.gone(b.next) && (b.match == nil || b.match(&e)) {
			batch.Events = append(batch.Events, e)
		}
	}
	b.position, b.live = batch.Position, live
	return batch, true
}

// Close implements [source.Subscription].
func (b *subscription) Close() error {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.log.open--
	}
	return nil
}
