package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
)

var _ checkpoint.ShardStore = (*Store)(nil)

// The statements about shards and who takes part in them.
const (
	shardsSQL       = `SELECT shards FROM projector_projections WHERE name = ? AND base IS NULL`
	deleteShardsSQL = `DELETE FROM projector_projections WHERE base = ?`

	// ?1 name, ?2 epoch, ?3 shards, ?4 position or null, ?5 last id or null, ?6 last position, ?7 fingerprint, ?8 handled,
	// ?9 ignored, ?10 skipped, ?11 base or null, ?12 state
	divideSQL = `INSERT INTO projector_projections (name, epoch, shards, position, last_id, last_position, fingerprint, handled, ignored,
			skipped, base, state, updated)
		VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, 'start'), ?7, ?8, ?9, ?10, ?11, ?12, ` + now + `)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, shards = excluded.shards, position = excluded.position,
			last_id = excluded.last_id, last_position = excluded.last_position, fingerprint = excluded.fingerprint,
			handled = excluded.handled, ignored = excluded.ignored, skipped = excluded.skipped, updated = excluded.updated,
			owner = '', expires = NULL, state = excluded.state, reason = '', instance = NULL, deaths = 0, marker_id = NULL`
	refuseAllSQL = `UPDATE projector_commands SET done = ` + now + `, answer = ?2, refused = 1 WHERE done IS NULL
		AND projection IN (SELECT name FROM projector_projections WHERE name = ?1 OR base = ?1)`

	// ?1 projection, ?2 instance, ?3 owner, ?4 ttl
	meetSQL = `INSERT INTO projector_members (projection, instance, owner, joined, expires)
		VALUES (?1, ?2, ?3, (SELECT coalesce(max(joined), 0) + 1 FROM projector_members WHERE projection = ?1), ` + now + ` + ?4)
		ON CONFLICT (projection, instance) DO UPDATE SET owner = excluded.owner, expires = excluded.expires`
	buryMembersSQL = `DELETE FROM projector_members WHERE projection = ? AND expires <= ` + now
	membersSQL     = `SELECT instance, owner FROM projector_members WHERE projection = ? ORDER BY joined`
	ownersSQL      = `SELECT name, instance, owner FROM projector_projections WHERE base = ? AND expires > ` + now
	leaveSQL       = `DELETE FROM projector_members WHERE projection = ? AND instance = ?`
)

// noShard says why there is no such shard, if the name is that of one.
func noShard(ctx context.Context, q queryer, name string) error {
	base, _, shards, isShard := checkpoint.ParseShardName(name)
	if !isShard {
		return nil
	}
	e := &checkpoint.ShardsError{Name: base, Wants: shards}
	err := q.QueryRowContext(ctx, shardsSQL, base).Scan(&e.Stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return classed(err)
	}
	return e
}

// division reads a projection and its shards. The caller holds the write lock.
func (s *Store) division(ctx context.Context, name string) (base *division.Row, shards []division.Row, err error) {
	rows, err := s.writer.conn.QueryContext(ctx, divisionSQL, name)
	if err != nil {
		return nil, nil, explain(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	shards, err = scanRows(rows)
	if i := slices.IndexFunc(shards, func(r division.Row) bool { return r.Base == "" }); i >= 0 {
		base = &division.Row{}
		*base = shards[i]
		shards = slices.Delete(shards, i, i+1)
	}
	return base, shards, err
}

// checkReset reports why a projection cannot be reset.
func (s *Store) checkReset(ctx context.Context, name string) error {
	base, shards, err := s.division(ctx, name)
	if err != nil {
		return err
	}
	if base == nil {
		return checkpoint.ErrUnknownProjection
	}
	for _, r := range append(shards, *base) {
		if r.Held {
			return &checkpoint.HeldError{Name: r.Name, Owner: r.Owner, Expires: time.Until(r.Expires)}
		}
	}
	return nil
}

// whyNotSent says why there is nobody to send a command to.
func (s *Store) whyNotSent(ctx context.Context, name string) error {
	var shards int
	err := s.writer.conn.QueryRowContext(ctx, shardsSQL, name).Scan(&shards)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return checkpoint.ErrUnknownProjection
	case err != nil:
		return err
	}
	return &checkpoint.ShardsError{Name: name, Stored: shards, Wants: 1}
}

// Divide implements [checkpoint.ShardStore].
func (s *Store) Divide(ctx context.Context, d checkpoint.Division) error {
	if err := d.Validate(); err != nil {
		return err
	}
	var known int
	err := s.reader.QueryRowContext(ctx, shardsSQL, d.Name).Scan(&known)
	switch {
	case err == nil && known == d.Shards:
		return nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("projection %q: divide: %w", d.Name, explain(err))
	}
	err = s.writer.tx(ctx, func() error {
		base, shards, err := s.division(ctx, d.Name)
		if err != nil {
			return err
		}
		if base == nil {
			base = &division.Row{Shards: 1, Fresh: true}
		}
		if base.Shards == d.Shards {
			return nil
		}
		start, err := division.Plan(&d, *base, shards)
		if err != nil {
			return err
		}
		return s.divide(&d, start)
	})
	if err != nil && s.Classify(err) != checkpoint.ClassConfiguration {
		return fmt.Errorf("projection %q: divide: %w", d.Name, err)
	}
	return err
}

// divide makes the rows of a projection and its shards anew, in the open transaction.
func (s *Store) divide(d *checkpoint.Division, start division.Row) error {
	if _, err := s.writer.exec(refuseAllSQL, d.Name, division.Refusal); err != nil {
		return err
	}
	if _, err := s.writer.exec(deleteShardsSQL, d.Name); err != nil {
		return err
	}
	var position any = start.Position.String()
	if start.Fresh {
		position = nil
	}
	id, at := eventRef(start.LastEvent)
	row := func(name string, base any) error {
		args := []any{name, start.Epoch + 1, 1, position, id, at, start.Fingerprint, 0, 0, 0, base, start.State}
		if base == nil {
			args[7], args[8], args[9] = start.Handled, start.Ignored, start.Skipped
		}
		if base == nil && d.Shards > 1 {
			args[2], args[3], args[4], args[5], args[6] = d.Shards, nil, nil, nil, division.Divided(d.Shards)
		}
		_, err := s.writer.exec(divideSQL, args...)
		return err
	}
	if err := row(d.Name, nil); err != nil || d.Shards == 1 {
		return err
	}
	for i := range d.Shards {
		if err := row(checkpoint.ShardName(d.Name, i, d.Shards), d.Name); err != nil {
			return err
		}
	}
	return nil
}

// Meet implements [checkpoint.ShardStore].
func (s *Store) Meet(ctx context.Context, projection string, m checkpoint.Member, ttl time.Duration) (meeting checkpoint.Meeting, err error) {
	err = s.writer.tx(ctx, func() error {
		if _, err := s.writer.exec(buryMembersSQL, projection); err != nil {
			return err
		}
		if _, err := s.writer.exec(meetSQL, projection, m.Instance.String(), m.Owner, millis(ttl)); err != nil {
			return err
		}
		meeting, err = s.writer.meeting(ctx, projection)
		return err
	})
	if err != nil {
		return meeting, fmt.Errorf("projection %q: meet: %w", projection, explain(err))
	}
	return meeting, nil
}

func (w *writer) meeting(ctx context.Context, projection string) (meeting checkpoint.Meeting, err error) {
	var shards int
	err = w.conn.QueryRowContext(ctx, shardsSQL, projection).Scan(&shards)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return meeting, err
	}
	if shards > 1 {
		meeting.Shards = make([]checkpoint.Member, shards)
	}
	members, err := w.conn.QueryContext(ctx, membersSQL, projection)
	if err != nil {
		return meeting, err
	}
	defer members.Close() //nolint:errcheck // rows.Err tells
	for members.Next() {
		var m checkpoint.Member
		if err := members.Scan(&m.Instance, &m.Owner); err != nil {
			return meeting, err
		}
		meeting.Members = append(meeting.Members, m)
	}
	if err := members.Err(); err != nil {
		return meeting, err
	}
	owners, err := w.conn.QueryContext(ctx, ownersSQL, projection)
	if err != nil {
		return meeting, err
	}
	defer owners.Close() //nolint:errcheck // rows.Err tells
	for owners.Next() {
		var name string
		var m checkpoint.Member
		if err := owners.Scan(&name, &m.Instance, &m.Owner); err != nil {
			return meeting, err
		}
		if _, i, _, ok := checkpoint.ParseShardName(name); ok && i < len(meeting.Shards) {
			meeting.Shards[i] = m
		}
	}
	return meeting, owners.Err()
}

// Leave implements [checkpoint.ShardStore].
func (s *Store) Leave(ctx context.Context, projection string, instance uuid.UUID) error {
	err := s.writer.tx(ctx, func() error {
		_, err := s.writer.exec(leaveSQL, projection, instance.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("projection %q: leave: %w", projection, explain(err))
	}
	return nil
}
