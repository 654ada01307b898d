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
		found, err := s.inspect(ctx, claim)
		if err != nil {
			return nil, err
		}
		l, err := s.claim(ctx, claim, found)
		if err != nil {
			return nil, err
		}
		if l != nil {
			return l, nil
		}
		// Somebody else was faster; the next look says who.
	}
}

// free is what is known of a projection that nobody owns.
type free struct {
	epoch  int64 // 0: it is new
	died   bool  // its owner has not released it, and is not the one that asks
	marker checkpoint.Marker
}

// inspect looks at a projection, and returns an error that says why it cannot be claimed if it cannot.
func (s *Store) inspect(ctx context.Context, claim checkpoint.Claim) (found free, err error) {
	rows, err := s.exec(ctx, s.sql.inspect, claim.Name)
	if err != nil {
		return found, fmt.Errorf("projection %q: acquire: %w", claim.Name, s.explain(err))
	}
	if len(rows) == 0 {
		return found, s.noShard(ctx, claim.Name)
	}
	row := rows[0]
	if shards := decodeInt(row[9]); shards > 1 {
		return found, &checkpoint.ShardsError{Name: claim.Name, Stored: int(shards), Wants: 1}
	}
	if row[2] != nil && !claim.Owned(decodeUUID(row[6])) {
		left := time.Duration(decodeInt(row[2])) * time.Microsecond
		return found, &checkpoint.HeldError{Name: claim.Name, Owner: string(row[1]), Expires: left}
	}
	position, err := parsePosition(row[3])
	if err != nil {
		return found, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	if stored := string(row[4]); !claim.Fits(stored, position) {
		return found, &checkpoint.DefinitionError{Name: claim.Name, Stored: stored, Wants: claim.Fingerprint, Position: position}
	}
	found.epoch = decodeInt(row[0])
	unreleased := decodeBool(row[5])
	if found.died = unreleased && decodeUUID(row[6]) != claim.Instance; found.died {
		found.marker = decodeMarker(row[7], row[8])
	}
	return found, nil
}

// claim tries to take a lease that was free a moment ago; nil means that it is not any more.
func (s *Store) claim(ctx context.Context, claim checkpoint.Claim, found free) (*lease, error) {
	me := identity{projection: s.hash(claim.Name), epoch: found.epoch + 1}
	defer s.evictBlockers(ctx, me)()
	died := int64(0)
	if found.died {
		died = 1
	}
	var results [][][][]byte
	err := s.with(ctx, func(conn *pgxpool.Conn) (err error) {
		var b script
		b.add(s.sql.settings, me.String())
		params := []any{claim.Name, claim.Owner, micros(claim.TTL), claim.Fingerprint, claim.Start.String(), claim.Instance}
		if found.epoch == 0 {
			b.add(s.sql.enter, params...)
		} else {
			b.add(s.sql.claim, append(params, found.epoch, died)...)
		}
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
	l := &lease{store: s, name: claim.Name, epoch: decodeInt(row[0]), ttl: claim.TTL, deaths: int(decodeInt(row[4])), marker: found.marker}
	if l.position, err = parsePosition(row[1]); err != nil {
		return nil, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	if l.last, err = decodeEventRef(row[2], row[3]); err != nil {
		return nil, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	return l, nil
}

func decodeMarker(id, deaths []byte) checkpoint.Marker {
	if id == nil {
		return checkpoint.Marker{}
	}
	return checkpoint.Marker{Event: decodeUUID(id), Deaths: int(decodeInt(deaths))}
}

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
