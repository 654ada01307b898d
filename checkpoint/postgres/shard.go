package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
)

var _ checkpoint.ShardStore = (*Store)(nil)

// divideLockTimeout is how long Divide waits for a row that an owner holds whose lease has run out.
const divideLockTimeout = "5s"

// shardsOf returns into how many shards a projection is divided; 0 if there is none.
func (s *Store) shardsOf(ctx context.Context, name string) (int, error) {
	rows, err := s.exec(ctx, s.sql.shards, name)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return int(decodeInt(rows[0][0])), nil
}

// noShard says why there is no such shard, if the name is that of one.
func (s *Store) noShard(ctx context.Context, name string) error {
	base, _, shards, isShard := checkpoint.ParseShardName(name)
	if !isShard {
		return nil
	}
	stored, err := s.shardsOf(ctx, base)
	if err != nil {
		return err
	}
	return &checkpoint.ShardsError{Name: base, Stored: stored, Wants: shards}
}

// whyNotSent says why there is nobody to send a command to.
func (s *Store) whyNotSent(ctx context.Context, name string) error {
	stored, err := s.shardsOf(ctx, name)
	switch {
	case err != nil:
		return err
	case stored <= 1:
		return checkpoint.ErrUnknownProjection
	}
	return &checkpoint.ShardsError{Name: name, Stored: stored, Wants: 1}
}

// checkFree returns a *[checkpoint.HeldError] if somebody owns a projection or one of its shards.
func (s *Store) checkFree(ctx context.Context, name string) error {
	rows, err := s.exec(ctx, s.sql.holder, name)
	if err != nil || len(rows) == 0 {
		return err
	}
	left := time.Duration(decodeInt(rows[0][2])) * time.Microsecond
	return &checkpoint.HeldError{Name: string(rows[0][0]), Owner: string(rows[0][1]), Expires: left}
}

// Divide implements [checkpoint.ShardStore].
func (s *Store) Divide(ctx context.Context, d checkpoint.Division) error {
	if err := d.Validate(); err != nil {
		return err
	}
	known, err := s.shardsOf(ctx, d.Name)
	if err != nil {
		return fmt.Errorf("projection %q: divide: %w", d.Name, s.explain(err))
	}
	if max(1, known) == d.Shards {
		return nil
	}
	err = s.with(ctx, func(conn *pgxpool.Conn) error { return s.divide(ctx, conn, &d) })
	if err != nil && s.Classify(err) != checkpoint.ClassConfiguration {
		return fmt.Errorf("projection %q: divide: %w", d.Name, err)
	}
	return err
}

// divide locks the rows of a projection, looks at them and makes them anew, in one transaction.
func (s *Store) divide(ctx context.Context, conn *pgxpool.Conn, d *checkpoint.Division) (err error) {
	pg := conn.Conn().PgConn()
	run := func(b *script) (results [][][][]byte, err error) {
		results, _, err = b.run(ctx, pg)
		return results, err
	}
	var begin script
	begin.add("BEGIN")
	begin.add(s.sql.shorten, divideLockTimeout)
	begin.add(s.sql.enter, d.Name, "", int64(0), "", "start", uuid.Nil) // so that there is something to lock
	begin.add(s.sql.lockBase, d.Name)
	begin.add(s.sql.lockAll, d.Name)
	begin.add(s.sql.division, d.Name)
	defer func() {
		if err != nil {
			var b script
			b.add("ROLLBACK")
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _, _ = b.run(ctx, pg) // the connection is lost otherwise, and with it the transaction
		}
	}()
	results, err := run(&begin)
	if err != nil {
		return err
	}
	shards, err := decodeRows(results[5])
	if err != nil {
		return err
	}
	i := slices.IndexFunc(shards, func(r division.Row) bool { return r.Base == "" })
	base := shards[i]
	shards = slices.Delete(shards, i, i+1)
	if len(results[2]) > 0 { // it was made just now
		base.Fresh, base.Epoch = true, 0
	}
	var b script
	if base.Shards != d.Shards || len(results[2]) > 0 {
		start, err := division.Plan(d, base, shards)
		if err != nil {
			return err
		}
		s.addDivision(&b, d, start)
	}
	b.add("COMMIT")
	_, err = run(&b)
	return err
}

// addDivision makes the rows of a projection and its shards anew.
func (s *Store) addDivision(b *script, d *checkpoint.Division, start division.Row) {
	b.add(s.sql.refuseAll, d.Name, division.Refusal)
	b.add(s.sql.deleteShards, d.Name)
	none, noText := encoded{oid: pgtype.UUIDOID}, encoded{oid: pgtype.TextOID}
	var id, at, position any = none, noText, start.Position.String()
	if start.LastEvent != (checkpoint.EventRef{}) {
		id, at = start.LastEvent.ID, start.LastEvent.Position.String()
	}
	if start.Fresh {
		position = noText
	}
	if d.Shards == 1 {
		b.add(s.sql.divide, d.Name, start.Epoch+1, int64(1), position, id, at, start.Fingerprint, start.Handled, start.Ignored,
			start.Skipped, noText, start.State)
		return
	}
	b.add(s.sql.divide, d.Name, start.Epoch+1, int64(d.Shards), noText, none, noText, division.Divided(d.Shards), start.Handled,
		start.Ignored, start.Skipped, noText, start.State)
	for i := range d.Shards {
		b.add(s.sql.divide, checkpoint.ShardName(d.Name, i, d.Shards), start.Epoch+1, int64(1), position, id, at, start.Fingerprint,
			int64(0), int64(0), int64(0), d.Name, start.State)
	}
}

// Meet implements [checkpoint.ShardStore].
func (s *Store) Meet(ctx context.Context, projection string, m checkpoint.Member, ttl time.Duration) (checkpoint.Meeting, error) {
	var meeting checkpoint.Meeting
	var results [][][][]byte
	err := s.with(ctx, func(conn *pgxpool.Conn) (err error) {
		var b script
		b.add(s.sql.meet, projection, m.Instance, m.Owner, micros(ttl))
		b.add(s.sql.buryMembers, projection)
		b.add(s.sql.members, projection)
		b.add(s.sql.shards, projection)
		b.add(s.sql.owners, projection)
		results, _, err = b.run(ctx, conn.Conn().PgConn())
		return err
	})
	if err != nil {
		return meeting, fmt.Errorf("projection %q: meet: %w", projection, s.explain(err))
	}
	for _, row := range results[2] {
		meeting.Members = append(meeting.Members, checkpoint.Member{Instance: decodeUUID(row[0]), Owner: string(row[1])})
	}
	if len(results[3]) > 0 {
		if n := decodeInt(results[3][0][0]); n > 1 {
			meeting.Shards = make([]checkpoint.Member, n)
		}
	}
	for _, row := range results[4] {
		if _, i, _, ok := checkpoint.ParseShardName(string(row[0])); ok && i < len(meeting.Shards) {
			meeting.Shards[i] = checkpoint.Member{Instance: decodeUUID(row[1]), Owner: string(row[2])}
		}
	}
	return meeting, nil
}

// Leave implements [checkpoint.ShardStore].
func (s *Store) Leave(ctx context.Context, projection string, instance uuid.UUID) error {
	if _, err := s.exec(ctx, s.sql.leave, projection, instance); err != nil {
		return fmt.Errorf("projection %q: leave: %w", projection, s.explain(err))
	}
	return nil
}
