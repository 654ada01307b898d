package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/photonpump/projector/checkpoint"
)

var (
	_ checkpoint.ParkingStore = (*Store)(nil)
	_ checkpoint.ParkingLease = (*lease)(nil)
)

// parking is what a projection has put aside, and what was asked of it.
type parking struct {
	parked []checkpoint.Parked // by number
	marker checkpoint.Marker
	deaths int
}

// request is a command and the projection it is for.
type request struct {
	checkpoint.Command
	projection string
}

// Parked implements [checkpoint.ParkingStore].
func (s *Store) Parked(ctx context.Context, projection string, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	p := s.projections[projection]
	if p == nil {
		return nil, fmt.Errorf("parked events of %q: %w", projection, checkpoint.ErrUnknownProjection)
	}
	if p.divided == 0 {
		return p.list(key, after, limit), nil
	}
	var all parking
	for _, shard := range s.shardsOf(projection) {
		all.parked = append(all.parked, shard.parked...)
	}
	slices.SortFunc(all.parked, func(a, b checkpoint.Parked) int { return cmp.Compare(a.Number, b.Number) })
	return all.list(key, after, limit), nil
}

func (p *parking) list(key *string, after int64, limit int) []checkpoint.Parked {
	var list []checkpoint.Parked
	for _, e := range p.parked {
		if e.Number > after && (key == nil || e.Key == *key) {
			list = append(list, e)
			if len(list) == limit {
				break
			}
		}
	}
	return list
}

// Send implements [checkpoint.ParkingStore].
func (s *Store) Send(ctx context.Context, projection string, c checkpoint.Command) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	p := s.projections[projection]
	if p == nil {
		return 0, fmt.Errorf("command to %q: %w", projection, checkpoint.ErrUnknownProjection)
	}
	if p.divided > 0 {
		return 0, fmt.Errorf("command to %q: %w", projection, &checkpoint.ShardsError{Name: projection, Stored: p.divided, Wants: 1})
	}
	c.Number, c.Sent = int64(len(s.requests)+1), s.now()
	s.requests = append(s.requests, request{c, projection})
	return c.Number, nil
}

// Command implements [checkpoint.ParkingStore].
func (s *Store) Command(ctx context.Context, number int64) (checkpoint.Command, error) {
	if err := s.lock(ctx); err != nil {
		return checkpoint.Command{}, err
	}
	defer s.mu.Unlock()
	if number < 1 || number > int64(len(s.requests)) {
		return checkpoint.Command{}, fmt.Errorf("%w: number %d", checkpoint.ErrUnknownCommand, number)
	}
	return s.requests[number-1].Command, nil
}

// ParkedKeys implements [checkpoint.ParkingLease].
func (l *lease) ParkedKeys(ctx context.Context) (map[string]int64, error) {
	p, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	keys := map[string]int64{}
	for _, e := range p.parked {
		keys[e.Key]++
	}
	return keys, nil
}

// CountParked implements [checkpoint.ParkingLease].
func (l *lease) CountParked(ctx context.Context, class string) (n int64, err error) {
	p, err := l.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer l.store.mu.Unlock()
	for _, e := range p.parked {
		if e.Class == class {
			n++
		}
	}
	return n, nil
}

// Parked implements [checkpoint.ParkingLease].
func (l *lease) Parked(ctx context.Context, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	p, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	return p.list(key, after, limit), nil
}

// Commands implements [checkpoint.ParkingLease].
func (l *lease) Commands(ctx context.Context) ([]checkpoint.Command, error) {
	if _, err := l.lock(ctx); err != nil {
		return nil, err
	}
	defer l.store.mu.Unlock()
	var list []checkpoint.Command
	for _, r := range l.store.requests {
		if r.projection == l.name && r.Done.IsZero() {
			list = append(list, r.Command)
		}
	}
	return list, nil
}

// Deaths implements [checkpoint.ParkingLease].
func (l *lease) Deaths() int { return l.deaths }

// Marker implements [checkpoint.ParkingLease].
func (l *lease) Marker() checkpoint.Marker { return l.marker }

// Mark implements [checkpoint.ParkingLease].
func (l *lease) Mark(ctx context.Context, m checkpoint.Marker) error {
	p, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer l.store.mu.Unlock()
	p.marker = m
	return nil
}

// park applies the part of a change that concerns parked events and commands. The lock of the store is held.
func (l *lease) park(p *projection, c checkpoint.Change) {
	now := l.store.now()
	p.marker = checkpoint.Marker{}
	if c.To != c.From {
		p.deaths = 0
	}
	p.Skipped += c.Skipped
	for _, e := range c.Park {
		l.store.numbers++
		e.Number, e.At = l.store.numbers, now
		p.parked = append(p.parked, e)
	}
	p.parked = slices.DeleteFunc(p.parked, func(e checkpoint.Parked) bool { return slices.Contains(c.Unpark, e.Number) })
	for _, r := range c.Retries {
		for i := range p.parked {
			if e := &p.parked[i]; e.Number == r.Number {
				e.Class, e.Error, e.Attempts, e.Tried = r.Class, r.Error, r.Attempts, r.Tried
			}
		}
	}
	p.Status.Parked = int64(len(p.parked))
	for _, a := range c.Answers {
		if a.Number < 1 || a.Number > int64(len(l.store.requests)) {
			continue
		}
		if r := &l.store.requests[a.Number-1]; r.projection == l.name && r.Done.IsZero() {
			r.Done, r.Answer, r.Refused = now, a.Text, a.Refused
		}
	}
}
