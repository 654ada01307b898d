package readmodel

// Row is one row of a table while an event is folded into it. After the call the row exists with Value, unless it was
// deleted.
type Row[R any] struct {
	// Value is what the row holds: its columns, or zero values (but for the key) if there is no such row yet.
	Value R
	// Exists tells whether there was such a row before this event.
	Exists bool

	deleted bool
}

// Delete removes the row, or leaves it absent. Whatever else is done to it in the same call is forgotten; a later event
// finds a row that does not exist.
func (r *Row[R]) Delete() { r.deleted = true }
