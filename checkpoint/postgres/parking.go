package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

var (
	_ checkpoint.ParkingStore = (*Store)(nil)
	_ checkpoint.ParkingLease = (*lease)(nil)
)

// parkedColumns are the columns of a parked event that its owner writes, in the order of [parkedTypes].
const parkedColumns = `key, position, id, type, stream, event_no, data, metadata, json, created, link_id, link_stream, link_no,
	link_unresolved, class, error, attempts, tried, first_tried`

// parkedTypes are the types of parkedColumns.
func parkedTypes() []*checkpoint.Column {
	var columns []*checkpoint.Column
	for _, base := range []checkpoint.Base{
		checkpoint.Text, checkpoint.Text, checkpoint.UUID, checkpoint.Text, checkpoint.Text, checkpoint.Int, checkpoint.Bytes,
		checkpoint.Bytes, checkpoint.Bool, checkpoint.Time, checkpoint.UUID, checkpoint.Text, checkpoint.Int, checkpoint.Bool,
		checkpoint.Text, checkpoint.Text, checkpoint.Int, checkpoint.Time, checkpoint.Time,
	} {
		columns = append(columns, &checkpoint.Column{Type: checkpoint.Type{Base: base}})
	}
	return columns
}

// parkSQL inserts parked events, one array parameter for each column, and the projection last.
func parkSQL(table string) string {
	types := parkedTypes()
	from, values := unnest(types)
	return fmt.Sprintf("INSERT INTO %s (%s, projection) SELECT %s, $%d FROM %s", table, parkedColumns, strings.Join(values, ", "),
		len(types)+1, from)
}

// addParking adds what a change does to parked events and commands.
func (c *commit) addParking() {
	sql, name, p := &c.lease.store.sql, c.lease.name, &c.change.Parking
	for rest := p.Park; len(rest) > 0; {
		arrays := newArrays(parkedTypes(), len(rest))
		n, size := 0, 0
		for n < len(rest) && size < maxArrays {
			appendParked(arrays, &rest[n])
			size += len(rest[n].Data) + len(rest[n].Metadata)
			n++
		}
		c.add(nil, sql.park, append(arrayParams(arrays), name)...)
		rest = rest[n:]
	}
	if len(p.Unpark) > 0 {
		numbers := newColumnArray(&checkpoint.Column{Type: checkpoint.Type{Base: checkpoint.Int}}, len(p.Unpark))
		for _, n := range p.Unpark {
			numbers.append(n)
		}
		c.add(nil, sql.unpark, name, numbers.param())
	}
	for _, r := range p.Retries {
		c.add(nil, sql.retry, name, r.Number, plain.Text(r.Class), plain.Text(r.Error), int64(r.Attempts), timeParam(r.Tried))
	}
	for _, a := range p.Answers {
		refused := int64(0)
		if a.Refused {
			refused = 1
		}
		c.add(nil, sql.answer, name, a.Number, plain.Text(a.Text), refused)
	}
}

func timeParam(t time.Time) any {
	if t.IsZero() {
		return encoded{oid: pgtype.TimestamptzOID}
	}
	return t
}

func appendParked(arrays []*columnArray, e *checkpoint.Parked) {
	link := [4]any{}
	if e.Link != nil {
		link = [4]any{e.Link.ID, plain.Escape(e.Link.Stream), e.Link.Number, e.Link.Unresolved}
	}
	for i, v := range []any{
		plain.Escape(e.Key), e.Position.String(), e.ID, plain.Escape(e.Type), plain.Escape(e.Stream), e.EventNo, bytesValue(e.Data),
		bytesValue(e.Metadata), e.JSON, timeValue(e.Created), link[0], link[1], link[2], link[3], plain.Text(e.Class), plain.Text(e.Error),
		int64(e.Attempts), timeValue(e.Tried), timeValue(e.FirstTried),
	} {
		arrays[i].append(v)
	}
}

func bytesValue(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func timeValue(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// Parked implements [checkpoint.ParkingStore].
func (s *Store) Parked(ctx context.Context, projection string, key *string, after int64, limit int) ([]checkpoint.Parked, error) {
	var keyParam, limitParam any = nil, encoded{oid: pgtype.Int8OID}
	if key != nil {
		keyParam = plain.Escape(*key)
	}
	if limit > 0 {
		limitParam = int64(limit)
	}
	rows, err := s.exec(ctx, s.sql.parked, projection, keyParam, after, limitParam)
	if err == nil && len(rows) == 0 {
		err = s.mustExist(ctx, projection)
	}
	if err != nil {
		return nil, fmt.Errorf("parked events of %q: %w", projection, s.explain(err))
	}
	list := make([]checkpoint.Parked, len(rows))
	for i, row := range rows {
		if list[i], err = decodeParked(row); err != nil {
			return nil, fmt.Errorf("parked events of %q: %w", projection, err)
		}
	}
	return list, nil
}

func (s *Store) mustExist(ctx context.Context, projection string) error {
	rows, err := s.exec(ctx, s.sql.exists, projection)
	if err == nil && len(rows) == 0 {
		err = checkpoint.ErrUnknownProjection
	}
	return err
}

func decodeParked(row [][]byte) (e checkpoint.Parked, err error) {
	text := func(i int) string { return plain.Unescape(string(row[i])) }
	e = checkpoint.Parked{
		Key: text(0), ID: decodeUUID(row[2]), Type: text(3), Stream: text(4), EventNo: decodeInt(row[5]), Data: row[6], Metadata: row[7],
		JSON: decodeBool(row[8]), Created: decodeNullTime(row[9]), Class: string(row[14]), Error: string(row[15]),
		Attempts: int(decodeInt(row[16])), Tried: decodeNullTime(row[17]), FirstTried: decodeNullTime(row[18]),
		At: decodeTime(row[19]), Number: decodeInt(row[20]),
	}
	if row[10] != nil {
		e.Link = &checkpoint.ParkedLink{ID: decodeUUID(row[10]), Stream: text(11), Number: decodeInt(row[12]), Unresolved: decodeBool(row[13])}
	}
	e.Position, err = parsePosition(row[1])
	return e, err
}

func decodeNullTime(b []byte) time.Time {
	if b == nil {
		return time.Time{}
	}
	return decodeTime(b)
}

// ParkedKeys implements [checkpoint.ParkingLease].
func (l *lease) ParkedKeys(ctx context.Context) (map[string]int64, error) {
	rows, err := l.store.exec(ctx, l.store.sql.parkedKeys, l.name)
	if err != nil {
		return nil, fmt.Errorf("parked events of %q: %w", l.name, err)
	}
	keys := make(map[string]int64, len(rows))
	for _, row := range rows {
		keys[plain.Unescape(string(row[0]))] = decodeInt(row[1])
	}
	return keys, nil
}

// CountParked implements [checkpoint.ParkingLease].
func (l *lease) CountParked(ctx context.Context, class string) (int64, error) {
	rows, err := l.store.exec(ctx, l.store.sql.countParked, l.name, plain.Text(class))
	if err != nil {
		return 0, fmt.Errorf("parked events of %q: %w", l.name, err)
	}
	return decodeInt(rows[0][0]), nil
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
	var id any = encoded{oid: pgtype.UUIDOID}
	if m.Event != uuid.Nil {
		id = m.Event
	}
	return l.update(ctx, "mark", l.store.sql.mark, l.name, l.epoch, id, int64(m.Deaths))
}
