package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
)

// Acquire implements [checkpoint.Store]. It looks before it claims, so that those who wait for a lease do not lock it.
func (s *Store) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	if err := claim.Validate(); err != nil {
		return nil, err
	}
	for {
		epoch, err := s.inspect(ctx, claim)
		if err != nil {
			return nil, err
		}
		l, err := s.claim(ctx, claim, epoch)
		if l != nil || err != nil {
			return l, err
		}
		// Somebody else was faster; the next look says who.
	}
}

// inspect returns the epoch of a projection that can be claimed, 0 if it is new, or an error that says why it cannot.
func (s *Store) inspect(ctx context.Context, claim checkpoint.Claim) (epoch int64, err error) {
	rows, err := s.exec(ctx, s.sql.inspect, claim.Name)
	if err != nil {
		return 0, fmt.Errorf("projection %q: acquire: %w", claim.Name, s.explain(err))
	}
	if len(rows) == 0 {
		return 0, nil
	}
	row := rows[0]
	if row[2] != nil {
		left := time.Duration(decodeInt(row[2])) * time.Microsecond
		return 0, &checkpoint.HeldError{Name: claim.Name, Owner: string(row[1]), Expires: left}
	}
	position, err := parsePosition(row[3])
	if err != nil {
		return 0, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	if stored := string(row[4]); claim.Fingerprint != "" && stored != "" && stored != claim.Fingerprint {
		return 0, &checkpoint.DefinitionError{Name: claim.Name, Stored: stored, Wants: claim.Fingerprint, Position: position}
	}
	return decodeInt(row[0]), nil
}

// claim tries to take a lease that was free a moment ago; nil means that it is not any more.
func (s *Store) claim(ctx context.Context, claim checkpoint.Claim, epoch int64) (checkpoint.Lease, error) {
	me := identity{projection: s.hash(claim.Name), epoch: epoch + 1}
	// Whoever holds the row locked has lost the lease, and either finishes at once or is not coming back.
	defer s.evictAfter(ctx, min(claim.TTL, claimPatience), me)()
	var results [][][][]byte
	err := s.with(ctx, func(conn *pgxpool.Conn) (err error) {
		var b script
		b.add(s.sql.settings, me.String())
		b.add(s.sql.claim, claim.Name, claim.Owner, micros(claim.TTL), claim.Fingerprint, claim.Start.String())
		results, _, err = b.run(ctx, conn.Conn().PgConn())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("projection %q: acquire: %w", claim.Name, s.explain(err))
	}
	if len(results[1]) == 0 {
		return nil, nil
	}
	row := results[1][0]
	l := &lease{store: s, name: claim.Name, epoch: decodeInt(row[0]), ttl: claim.TTL}
	if l.position, err = parsePosition(row[1]); err != nil {
		return nil, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	if l.last, err = decodeEventRef(row[2], row[3]); err != nil {
		return nil, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	return l, nil
}

// claimPatience is how long Acquire waits for the lock of a row whose lease has expired.
const claimPatience = 500 * time.Millisecond

func decodeEventRef(id, position []byte) (ref checkpoint.EventRef, err error) {
	if id == nil {
		return ref, nil
	}
	if ref.ID, err = uuid.FromBytes(id); err != nil {
		return ref, err
	}
	ref.Position, err = parsePosition(position)
	return ref, err
}

// explain says what to do where the framework's own tables are missing.
func (s *Store) explain(err error) error {
	if isState(err, "42P01", "3F000") {
		return fmt.Errorf("%w in schema %q: has Migrate been called? %w", checkpoint.ErrNoTable, s.schema, err)
	}
	return err
}
