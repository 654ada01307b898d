package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/photonpump/projector/checkpoint"
)

var (
	_ checkpoint.DedupeStore = (*Store)(nil)
	_ checkpoint.DedupeLease = (*lease)(nil)
)

// idList makes a JSON list, so that any number of ids is one parameter.
func idList(ids []uuid.UUID) string {
	list := make([]byte, 0, 2+39*len(ids))
	list = append(list, '[')
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, '"')
		text, _ := id.MarshalText() // never fails
		list = append(append(list, text...), '"')
	}
	return string(append(list, ']'))
}

// remember stores the events of a change and forgets some that are older than its window, in the open transaction.
func (l *lease) remember(d *checkpoint.Dedupe) error {
	if len(d.IDs) == 0 {
		return nil
	}
	w := l.store.writer
	_, err := w.exec(rememberSQL, l.name, idList(d.IDs))
	if refused := (*sqlite.Error)(nil); errors.As(err, &refused) && refused.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY {
		return l.fenced()
	}
	if err == nil {
		_, err = w.exec(forgetSQL, l.name, d.Window.Milliseconds(), d.Forget())
	}
	return err
}

// Known implements [checkpoint.DedupeLease].
func (l *lease) Known(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := l.store.reader.QueryContext(ctx, knownSQL, l.name, idList(ids))
	if err != nil {
		return nil, fmt.Errorf("projection %q: events handled before: %w", l.name, explain(err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	known := make(map[uuid.UUID]bool)
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, classed(err)
		}
		known[id] = true
	}
	return known, classed(rows.Err())
}

// Remembered implements [checkpoint.DedupeStore].
func (s *Store) Remembered(ctx context.Context, projection string) (n int64, err error) {
	err = s.reader.QueryRowContext(ctx, rememberedSQL, projection).Scan(&n)
	if err == nil && n == 0 {
		err = s.mustExist(ctx, projection)
	}
	if err != nil {
		return 0, fmt.Errorf("remembered events of %q: %w", projection, explain(err))
	}
	return n, nil
}
