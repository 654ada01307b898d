package memory

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
)

var _ checkpoint.ShardStore = (*Store)(nil)

type member struct {
	checkpoint.Member
	expires time.Time
}

// shardsOf returns the shards of a projection, in no order. The lock is held, here and below.
func (s *Store) shardsOf(name string) []*projection {
	var shards []*projection
	for _, p := range s.projections {
		if p.base == name {
			shards = append(shards, p)
		}
	}
	return shards
}

// checkDivision reports whether the lease of that name can be acquired as the projection is divided; p is nil if it was never.
func (s *Store) checkDivision(name string, p *projection) error {
	base, _, shards, isShard := checkpoint.ParseShardName(name)
	switch {
	case p != nil && p.divided > 0:
		return &checkpoint.ShardsError{Name: name, Stored: p.divided, Wants: 1}
	case p != nil || !isShard:
		return nil
	}
	e := &checkpoint.ShardsError{Name: base, Wants: shards}
	if p := s.projections[base]; p != nil {
		e.Stored = max(1, p.divided)
	}
	return e
}

// Divide implements [checkpoint.ShardStore].
func (s *Store) Divide(ctx context.Context, d checkpoint.Division) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	base := s.projections[d.Name]
	if base == nil {
		base = &projection{fresh: true, Status: checkpoint.Status{Name: d.Name}}
	}
	if max(1, base.divided) == d.Shards {
		return nil
	}
	var rows []division.Row
	for _, p := range s.shardsOf(d.Name) {
		rows = append(rows, s.row(p))
	}
	start, err := division.Plan(&d, s.row(base), rows)
	if err != nil {
		return err
	}
	for _, r := range append(rows, s.row(base)) {
		s.refuseAll(r.Name)
		delete(s.projections, r.Name)
	}
	s.divide(&d, start)
	return nil
}

// divide makes a projection and its shards anew.
func (s *Store) divide(d *checkpoint.Division, start division.Row) {
	now := s.now()
	base := checkpoint.Status{
		Name: d.Name, Epoch: start.Epoch + 1, Updated: now, State: start.State, Handled: start.Handled, Ignored: start.Ignored, Skipped: start.Skipped,
	}
	if d.Shards == 1 {
		base.Position, base.LastEvent, base.Fingerprint = start.Position, start.LastEvent, start.Fingerprint
		s.projections[d.Name] = &projection{Status: base, fresh: start.Fresh}
		return
	}
	base.Fingerprint = division.Divided(d.Shards)
	s.projections[d.Name] = &projection{Status: base, divided: d.Shards}
	for i := range d.Shards {
		name := checkpoint.ShardName(d.Name, i, d.Shards)
		s.projections[name] = &projection{base: d.Name, Status: checkpoint.Status{
			Name: name, Epoch: start.Epoch + 1, Position: start.Position, LastEvent: start.LastEvent, Fingerprint: start.Fingerprint,
			Updated: now, State: start.State,
		}}
	}
}

// refuseAll answers the commands to somebody who will not be there any more.
func (s *Store) refuseAll(name string) {
	for i := range s.requests {
		if r := &s.requests[i]; r.projection == name && r.Done.IsZero() {
			r.Done, r.Answer, r.Refused = s.now(), division.Refusal, true
		}
	}
}

// Meet implements [checkpoint.ShardStore].
func (s *Store) Meet(ctx context.Context, projection string, m checkpoint.Member, ttl time.Duration) (checkpoint.Meeting, error) {
	if err := s.lock(ctx); err != nil {
		return checkpoint.Meeting{}, err
	}
	defer s.mu.Unlock()
	now := s.now()
	all := slices.DeleteFunc(s.members[projection], func(m member) bool { return !m.expires.After(now) })
	i := slices.IndexFunc(all, func(known member) bool { return known.Instance == m.Instance })
	if i < 0 {
		i, all = len(all), append(all, member{})
	}
	all[i] = member{m, now.Add(ttl)}
	s.members[projection] = all
	var meeting checkpoint.Meeting
	for _, known := range all {
		meeting.Members = append(meeting.Members, known.Member)
	}
	if p := s.projections[projection]; p != nil {
		meeting.Shards = make([]checkpoint.Member, p.divided)
	}
	for _, p := range s.shardsOf(projection) {
		if _, i, _, _ := checkpoint.ParseShardName(p.Name); p.held(now) {
			meeting.Shards[i] = checkpoint.Member{Instance: p.instance, Owner: p.Owner}
		}
	}
	return meeting, nil
}

// Leave implements [checkpoint.ShardStore].
func (s *Store) Leave(ctx context.Context, projection string, instance uuid.UUID) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.members[projection] = slices.DeleteFunc(s.members[projection], func(m member) bool { return m.Instance == instance })
	return nil
}
