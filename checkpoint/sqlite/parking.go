package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

var (
	_ checkpoint.ParkingStore = (*Store)(nil)
	_ checkpoint.ParkingLease = (*lease)(nil)
)

// parkedColumns are the columns of a parked event that its owner writes.
const parkedColumns = `key, position, id, type, stream, event_no, data, metadata, json, created, link_id, link_stream, link_no,
	link_unresolved, class, error, attempts, tried, first_tried`

// park does the part of a change that concerns parked events and commands, in the open transaction.
func (l *lease) park(p *checkpoint.Parking) error {
	w := l.store.writer
	for i := range p.Park {
		if _, err := w.exec(parkSQL, append(parkedValues(&p.Park[i]), l.name)...); err != nil {
			return err
		}
	}
	for _, number := range p.Unpark {
		if _, err := w.exec(unparkSQL, l.name, number); err != nil {
			return err
		}
	}
	for _, r := range p.Retries {
		_, err := w.exec(retrySQL, l.name, r.Number, plain.Text(r.Class), plain.Text(r.Error), r.Attempts, microsOf(r.Tried))
		if err != nil {
			return err
		}
	}
	for _, a := range p.Answers {
		if _, err := w.exec(answerSQL, l.name, a.Number, plain.Text(a.Text), a.Refused); err != nil {
			return err
		}
	}
	return nil
}

func parkedValues(e *checkpoint.Parked) []any {
	link := [4]any{}
	if e.Link != nil {
		link = [4]any{e.Link.ID.String(), plain.Escape(e.Link.Stream), e.Link.Number, e.Link.Unresolved}
	}
	return []any{
		plain.Escape(e.Key), e.Position.String(), e.ID.String(), plain.Escape(e.Type), plain.Escape(e.Stream), e.EventNo, e.Data,
		e.Metadata, e.JSON, microsOf(e.Created), link[0], link[1], link[2], link[3], plain.Text(e.Class), plain.Text(e.Error),
		e.Attempts, microsOf(e.Tried), microsOf(e.FirstTried),
	}
}

// microsOf is nil for the zero time.
func microsOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func ofMicros(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return time.UnixMicro(*n).UTC()
}

// Parked implements [checkpoint.ParkingStore].
func (s *Store) Parked(ctx context.Context, projection string, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	list, err := s.parked(ctx, projection, key, after, limit)
	if err == nil && len(list) == 0 {
		err = s.mustExist(ctx, projection)
	}
	if err != nil {
		return nil, fmt.Errorf("parked events of %q: %w", projection, explain(err))
	}
	return list, nil
}

func (s *Store) mustExist(ctx context.Context, projection string) error {
	var n int
	if err := s.reader.QueryRowContext(ctx, existsSQL, projection).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return checkpoint.ErrUnknownProjection
	}
	return nil
}

func (s *Store) parked(ctx context.Context, projection string, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	var keyArg any
	if key != nil {
		keyArg = plain.Escape(*key)
	}
	if limit <= 0 {
		limit = -1
	}
	rows, err := s.reader.QueryContext(ctx, parkedSQL, projection, keyArg, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var list []checkpoint.Parked
	for rows.Next() {
		e, err := scanParked(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

func scanParked(rows *sql.Rows) (e checkpoint.Parked, err error) {
	var position string
	var created, tried, first, linkNumber *int64
	var linkID uuid.NullUUID
	var linkStream *string
	var unresolved *bool
	var at int64
	err = rows.Scan(&e.Key, &position, &e.ID, &e.Type, &e.Stream, &e.EventNo, &e.Data, &e.Metadata, &e.JSON, &created, &linkID, &linkStream,
		&linkNumber, &unresolved, &e.Class, &e.Error, &e.Attempts, &tried, &first, &at, &e.Number)
	if err != nil {
		return e, err
	}
	e.Key, e.Type, e.Stream = plain.Unescape(e.Key), plain.Unescape(e.Type), plain.Unescape(e.Stream)
	e.Created, e.Tried, e.FirstTried, e.At = ofMicros(created), ofMicros(tried), ofMicros(first), time.UnixMilli(at).UTC()
	if linkID.Valid {
		e.Link = &checkpoint.ParkedLink{ID: linkID.UUID, Stream: plain.Unescape(*linkStream), Number: *linkNumber, Unresolved: *unresolved}
	}
	e.Position, err = checkpoint.ParsePosition(position)
	return e, err
}

// ParkedKeys implements [checkpoint.ParkingLease].
func (l *lease) ParkedKeys(ctx context.Context) (map[string]int64, error) {
	rows, err := l.store.reader.QueryContext(ctx, parkedKeysSQL, l.name)
	if err != nil {
		return nil, fmt.Errorf("parked events of %q: %w", l.name, explain(err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	keys := map[string]int64{}
	for rows.Next() {
		var key string
		var n int64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, classed(err)
		}
		keys[plain.Unescape(key)] = n
	}
	return keys, classed(rows.Err())
}

// CountParked implements [checkpoint.ParkingLease].
func (l *lease) CountParked(ctx context.Context, class string) (n int64, err error) {
	if err := l.store.reader.QueryRowContext(ctx, countParkedSQL, l.name, plain.Text(class)).Scan(&n); err != nil {
		return 0, fmt.Errorf("parked events of %q: %w", l.name, explain(err))
	}
	return n, nil
}

// Parked implements [checkpoint.ParkingLease].
func (l *lease) Parked(ctx context.Context, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	return l.store.Parked(ctx, l.name, key, after, limit)
}

// Deaths implements [checkpoint.ParkingLease].
func (l *lease) Deaths() int { return l.deaths }

// Marker implements [checkpoint.ParkingLease].
func (l *lease) Marker() checkpoint.Marker { return l.marker }

// Mark implements [checkpoint.ParkingLease].
func (l *lease) Mark(ctx context.Context, m checkpoint.Marker) error {
	var id any
	if m.Event != uuid.Nil {
		id = m.Event.String()
	}
	return l.update(ctx, "mark", markSQL, l.name, l.epoch, id, m.Deaths)
}
