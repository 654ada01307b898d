package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/division"
	"github.com/photonpump/projector/checkpoint/internal/drift"
)

// free is what is known of a projection that nobody owns.
type free struct {
	epoch    int64 // 0: it is new
	position *checkpoint.Position
	last     checkpoint.EventRef
	deaths   int64 // with the last owner, if it has died
	marker   checkpoint.Marker
}

// Acquire implements [checkpoint.Store]. It looks before it claims, so that those who wait for a lease do not write.
func (s *Store) Acquire(ctx context.Context, claim checkpoint.Claim) (checkpoint.Lease, error) {
	if err := claim.Validate(); err != nil {
		return nil, err
	}
	if _, err := inspect(ctx, s.reader, claim); err != nil {
		return nil, err
	}
	l := &lease{store: s, name: claim.Name, ttl: claim.TTL, position: claim.Start}
	err := s.writer.tx(ctx, func() error {
		found, err := inspect(ctx, s.writer.conn, claim)
		if err != nil {
			return err
		}
		l.epoch, l.last, l.deaths, l.marker = found.epoch+1, found.last, int(found.deaths), found.marker
		if found.position != nil {
			l.position = *found.position
		}
		_, err = s.writer.exec(claimSQL, claim.Name, claim.Owner, millis(claim.TTL), claim.Fingerprint, claim.Start.String(), l.epoch,
			claim.Instance.String(), found.deaths)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// queryer is a connection or a pool of them.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// inspect looks at a projection, and returns an error that says why it cannot be claimed if it cannot.
func inspect(ctx context.Context, q queryer, claim checkpoint.Claim) (found free, err error) {
	var owner, fingerprint, lastPosition string
	var left *int64
	var position, lastID, instance, marker *string
	var unreleased bool
	var shards int
	err = q.QueryRowContext(ctx, inspectSQL, claim.Name).Scan(&found.epoch, &owner, &left, &position, &fingerprint, &lastID, &lastPosition,
		&unreleased, &instance, &found.deaths, &marker, &found.marker.Deaths, &shards)
	if errors.Is(err, sql.ErrNoRows) {
		return free{}, noShard(ctx, q, claim.Name)
	}
	if err != nil {
		return free{}, fmt.Errorf("projection %q: acquire: %w", claim.Name, explain(err))
	}
	if shards > 1 {
		return free{}, &checkpoint.ShardsError{Name: claim.Name, Stored: shards, Wants: 1}
	}
	if position != nil {
		p, err := checkpoint.ParsePosition(*position)
		if err != nil {
			return free{}, fmt.Errorf("projection %q: %w", claim.Name, err)
		}
		found.position = &p
	}
	if found.last, err = parseEventRef(lastID, lastPosition); err != nil {
		return free{}, fmt.Errorf("projection %q: %w", claim.Name, err)
	}
	itself := instance != nil && *instance == claim.Instance.String()
	if left != nil && (!itself || claim.Instance == uuid.Nil) {
		return free{}, &checkpoint.HeldError{Name: claim.Name, Owner: owner, Expires: time.Duration(*left) * time.Millisecond}
	}
	if found.position != nil && !claim.Fits(fingerprint, *found.position) {
		return free{}, &checkpoint.DefinitionError{
			Name: claim.Name, Stored: fingerprint, Wants: claim.Fingerprint, Position: *found.position,
		}
	}
	return found, found.mourn(unreleased, itself, marker)
}

// mourn says what the end of the last owner means for the one that comes now.
func (f *free) mourn(unreleased, itself bool, marker *string) (err error) {
	died := unreleased && !itself
	if died {
		f.deaths++
	}
	if !died || marker == nil {
		f.marker = checkpoint.Marker{}
		return nil
	}
	if f.marker.Event, err = uuid.Parse(*marker); err != nil {
		return fmt.Errorf("marked event: %w", err)
	}
	return nil
}

// explain says what to do where the framework's own tables are missing.
func explain(err error) error {
	if strings.Contains(err.Error(), "no such table: projector_") {
		return fmt.Errorf("%w: has Migrate been called? %w", checkpoint.ErrNoTable, err)
	}
	return classed(err)
}

// List implements [checkpoint.Store].
func (s *Store) List(ctx context.Context) ([]checkpoint.Status, error) {
	rows, err := s.reader.QueryContext(ctx, listSQL)
	if err != nil {
		return nil, fmt.Errorf("list projections: %w", explain(err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	all, err := scanRows(rows)
	if err != nil {
		return nil, fmt.Errorf("list projections: %w", err)
	}
	return division.List(all), nil
}

func scanRows(rows *sql.Rows) ([]division.Row, error) {
	var all []division.Row
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, classed(rows.Err())
}

func scanRow(rows *sql.Rows) (r division.Row, err error) {
	var expires *int64
	var updated int64
	var lastID *string
	var position, lastPosition string
	err = rows.Scan(&r.Name, &r.Epoch, &r.Owner, &expires, &r.Held, &position, &lastID, &lastPosition, &r.Fingerprint,
		&r.Handled, &r.Ignored, &r.State, &r.Reason, &updated, &r.Skipped, &r.Parked, &r.Base, &r.Shards, &r.Fresh)
	if err != nil {
		return r, classed(err)
	}
	if expires != nil {
		r.Expires = time.UnixMilli(*expires).UTC()
	}
	r.Updated = time.UnixMilli(updated).UTC()
	if r.Position, err = checkpoint.ParsePosition(position); err != nil {
		return r, err
	}
	r.LastEvent, err = parseEventRef(lastID, lastPosition)
	return r, err
}

// resetTable empties a table, or makes it anew if it is not as defined.
func (s *Store) resetTable(ctx context.Context, t *checkpoint.Table) error {
	live, err := liveShape(ctx, s.writer.conn, t.Name)
	diff := drift.Compare(t, live, typeName)
	switch {
	case err != nil:
		return err
	case live != nil && !diff.Empty():
		if err := checkTable(t); err != nil {
			return err
		}
		if err := s.writer.run(ctx, "DROP TABLE "+quote(t.Name)+";\n"+createTable(t)); err != nil {
			return fmt.Errorf("table %q: make anew: %w", t.Name, err)
		}
		return nil
	}
	if _, err := s.writer.exec(s.table(t).clear); err != nil {
		return tableError(t, -1, err)
	}
	return nil
}

// Reset implements [checkpoint.Store].
func (s *Store) Reset(ctx context.Context, name string, tables ...*checkpoint.Table) error {
	err := s.writer.tx(ctx, func() error {
		if err := s.checkReset(ctx, name); err != nil {
			return err
		}
		for _, t := range tables {
			if err := s.resetTable(ctx, t); err != nil {
				return err
			}
		}
		for _, clear := range []string{clearParkedSQL, clearHandledSQL} {
			if _, err := s.writer.exec(clear, name); err != nil {
				return err
			}
		}
		if _, err := s.writer.exec(resetSQL, name); err != nil {
			return err
		}
		_, err := s.writer.exec(deleteShardsSQL, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("reset %q: %w", name, err)
	}
	return nil
}
