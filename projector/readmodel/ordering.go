package readmodel

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/photonpump/projector/projector/source"
)

var errSeveralRows = errors.New("the event changes several rows, or looks at others than it changes")

// OrderingKey returns the key of the row that an event changes: as it is if it is one text, else as JSON. An event that
// changes several rows has none, unless their keys are equal; rows that no other event changes do not count, so that an
// event which changes only such rows has a key for itself. One that changes no row is ordered by its stream.
func (m *Model) OrderingKey(e *source.Event) (string, error) {
	m.keying.Lock()
	defer m.keying.Unlock()
	if m.keys == nil {
		m.keys = newFold(m, "", nil)
	}
	defer m.keys.Rollback()
	defer m.keys.reset()
	if err := m.keys.read([]source.Event{*e}); err != nil {
		return "", err
	}
	var row *row
	own := false
	for i := range m.keys.ops {
		if ownsRows(m.keys.ops[i].step) {
			own = true
			continue
		}
		if m.keys.ops[i].row == nil {
			return "", errSeveralRows
		}
		if err := same(&row, m.keys.ops[i].row); err != nil {
			return "", err
		}
	}
	for _, looked := range m.keys.looks {
		if err := same(&row, looked); err != nil {
			return "", err
		}
	}
	switch {
	case row == nil && own:
		return "event " + e.RecordID().String(), nil
	case row == nil:
		return "stream " + e.Stream, nil
	}
	if text, ok := row.key[0].(string); ok && len(row.key) == 1 {
		return text, nil
	}
	b, err := json.Marshal(row.key)
	if err != nil {
		return "", fmt.Errorf("ordering key: %w", err)
	}
	return string(b), nil
}

// same checks that a row has the key of those before it.
func same(before **row, r *row) error {
	switch {
	case r == nil: // looked for nothing
	case *before == nil:
		*before = r
	case (*before).bytes != r.bytes:
		return errSeveralRows
	}
	return nil
}
