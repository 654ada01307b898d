package eventstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector/source"
)

// Streams is several streams, each read in its own order by a subscription of its own. There is no order between the events
// of two streams: what depends on one reads [All] with a filter. Positions are vectors of event numbers.
func Streams(client *esclient.Client, names ...string) source.Source {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	s := &streams{client: client, title: "streams " + list(names), index: make(map[string]int, len(names))}
	for i, name := range names {
		s.each = append(s.each, &stream{client: client, name: name, title: "stream " + name})
		s.index[name] = i
	}
	return s
}

type streams struct {
	client *esclient.Client
	title  string
	each   []*stream
	index  map[string]int // by name
}

func (s *streams) String() string { return s.title }

// Log implements [source.Shareable].
func (s *streams) Log() any { return s.client }

// numbersOf returns the last number read of each stream, -1 for nothing.
func (s *streams) numbersOf(p checkpoint.Position) ([]int64, error) {
	at, ok := p.Numbers()
	if !ok && !p.IsStart() {
		return nil, fmt.Errorf("%s: %w: position %v has no number for each stream: it is of another kind of source", s, source.ErrRefused, p)
	}
	numbers := make([]int64, len(s.each))
	for i := range numbers {
		numbers[i] = -1
	}
	for name, n := range at {
		i, known := s.index[name]
		if !known {
			return nil, fmt.Errorf("%s: %w: position %v is of other streams: %q is not among these", s, source.ErrRefused, p, name)
		}
		numbers[i] = n
	}
	return numbers, nil
}

// position is the vector of numbers of which those that are -1 are absent.
func (s *streams) position(numbers []int64) checkpoint.Position {
	at := make(map[string]int64, len(numbers))
	for i, n := range numbers {
		if n >= 0 {
			at[s.each[i].name] = n
		}
	}
	return checkpoint.AtNumbers(at)
}

// ask asks every stream for a number, all at once.
func (s *streams) ask(ctx context.Context, of func(context.Context, int, *stream) (int64, error)) ([]int64, error) {
	numbers := make([]int64, len(s.each))
	g, ctx := errgroup.WithContext(ctx)
	for i, st := range s.each {
		g.Go(func() (err error) {
			numbers[i], err = of(ctx, i, st)
			return err
		})
	}
	return numbers, g.Wait()
}

// Head implements [source.Source].
func (s *streams) Head(ctx context.Context) (checkpoint.Position, error) {
	numbers, err := s.ask(ctx, func(ctx context.Context, _ int, st *stream) (int64, error) { return st.last(ctx) })
	if err != nil {
		return checkpoint.Position{}, err
	}
	return s.position(numbers), nil
}

// Before implements [source.Timed].
func (s *streams) Before(ctx context.Context, t time.Time) (checkpoint.Position, error) {
	numbers, err := s.ask(ctx, func(ctx context.Context, _ int, st *stream) (int64, error) { return st.before(ctx, t) })
	if err != nil {
		return checkpoint.Position{}, err
	}
	return s.position(numbers), nil
}

// Check implements [source.Checker]: none of the streams may be shorter than what was read of it.
func (s *streams) Check(ctx context.Context, at checkpoint.Position) error {
	numbers, err := s.numbersOf(at)
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, func(ctx context.Context, i int, st *stream) (int64, error) {
		if numbers[i] < 0 {
			return 0, nil
		}
		last, err := st.written(ctx)
		if err == nil && numbers[i] > last {
			err = fmt.Errorf("%s: %w: read up to event %d before, but %s", st, source.ErrBeyondHead, numbers[i], endsAt(last))
		}
		return 0, err
	})
	return err
}

func endsAt(last int64) string {
	if last < 0 {
		return "the stream does not exist"
	}
	return fmt.Sprintf("its last one is %d", last)
}

// EventAt implements [source.Source]: a position with one entry names one event.
func (s *streams) EventAt(ctx context.Context, at checkpoint.Position) (source.Event, error) {
	numbers, err := s.numbersOf(at)
	if err != nil {
		return source.Event{}, err
	}
	i := slices.IndexFunc(numbers, func(n int64) bool { return n >= 0 })
	if i < 0 || slices.ContainsFunc(numbers[i+1:], func(n int64) bool { return n >= 0 }) {
		return source.Event{}, fmt.Errorf("%s: %w: position %v does not name one event", s, source.ErrRefused, at)
	}
	e, err := s.each[i].EventAt(ctx, checkpoint.AtNumber(numbers[i]))
	e.Position = at
	return e, err
}

// Advance implements [source.Source].
func (s *streams) Advance(p checkpoint.Position, events []source.Event) checkpoint.Position {
	if len(events) == 0 {
		return p
	}
	at, _ := p.Numbers()
	if at == nil {
		at = make(map[string]int64, len(s.each))
	}
	for i := range events {
		name, n := record(&events[i])
		at[name] = n
	}
	return checkpoint.AtNumbers(at)
}

// record is where an event was received from.
func record(e *source.Event) (stream string, number int64) {
	if e.Link != nil {
		return e.Link.Stream, e.Link.Number
	}
	return e.Stream, e.Number
}

// Subscribe implements [source.Source].
func (s *streams) Subscribe(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	numbers, err := s.numbersOf(after)
	if err == nil && len(s.each) == 0 {
		err = fmt.Errorf("%w: no stream is named", source.ErrRefused)
	}
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &merged{
		streams: s, numbers: numbers, live: make([]bool, len(numbers)), behind: len(numbers),
		arrivals: make(chan arrival), ctx: ctx, stop: stop,
	}
	for i, st := range s.each {
		sub := s.client.SubscribeStream(st.name, esclient.AfterNumber(numbers[i]), esclient.SubscribeOptions{})
		w := witness{client: s.client, source: s}
		if numbers[i] >= 0 {
			w.at = checkpoint.AtNumbers(map[string]int64{st.name: numbers[i]})
		}
		b.subs = append(b.subs, &subscription{source: st, sub: sub, convert: fromOneOf(st.name), position: streamPosition, witness: w})
	}
	return b, nil
}

// merged is the subscriptions of several streams as one. Each waits with a batch in hand until it is its turn, so none runs
// far ahead and none starves.
type merged struct {
	*streams
	subs     []*subscription
	numbers  []int64 // delivered, by stream
	live     []bool  // the last batch of the stream said so
	behind   int     // so many of them are not live
	arrivals chan arrival

	ctx     context.Context //nolint:containedctx // that of the goroutines that read, until Close
	stop    context.CancelFunc
	start   sync.Once
	running sync.WaitGroup
}

type arrival struct {
	from  int
	batch source.Batch
	err   error
}

// Next implements [source.Subscription].
func (b *merged) Next(ctx context.Context) (source.Batch, error) {
	b.start.Do(func() {
		for i := range b.subs {
			b.running.Go(func() { b.read(i) }) // ends with Close, or with its stream
		}
	})
	select {
	case a := <-b.arrivals:
		return b.merge(a)
	case <-ctx.Done():
		return source.Batch{}, ctx.Err()
	}
}

func (b *merged) read(i int) {
	for {
		batch, err := b.subs[i].Next(b.ctx)
		select {
		case b.arrivals <- arrival{i, batch, err}:
		case <-b.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (b *merged) merge(a arrival) (source.Batch, error) {
	if a.err != nil {
		return source.Batch{}, a.err
	}
	if n, ok := a.batch.Position.Number(); ok {
		b.numbers[a.from] = n
	}
	switch {
	case a.batch.Live && !b.live[a.from]:
		b.behind--
	case !a.batch.Live && b.live[a.from]:
		b.behind++
	}
	b.live[a.from] = a.batch.Live
	a.batch.Live = b.behind == 0
	a.batch.Position = b.position(b.numbers)
	return a.batch, nil
}

// Close implements [source.Subscription].
func (b *merged) Close() error {
	b.stop()
	var errs []error
	for _, sub := range b.subs {
		errs = append(errs, sub.Close())
	}
	b.running.Wait()
	return errors.Join(errs...)
}

// fromOneOf converts events of one of several streams.
func fromOneOf(name string) func(*source.Event, *esclient.Event) {
	return func(dst *source.Event, e *esclient.Event) {
		fill(dst, e)
		dst.Position = checkpoint.AtNumberOf(name, e.RecordNumber())
	}
}
