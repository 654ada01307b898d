package readmodel

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
)

// rowSet holds rows of one table in memory, under one lease: those of the batch, those that are being written, and as
// many others as the bound allows.
//
// Rows age in two generations: a row that is used moves to the young one; when that has half of the bound, it becomes the
// old one, and what was old is forgotten. So at most the bound and the rows of a batch are held.
type rowSet struct {
	table      *table
	max        int
	json       []int // columns that databases give back in a form of their own
	young, old map[string]*row

	missing []*row // not yet loaded
	touched []*row // since the last writes
	pending []*row // being written
	free    []*row // used by nobody any more

	upserts, deletes [][]any // buffers of writes, in use while rows are pending
}

func newRowSet(t *table, most int) *rowSet {
	s := &rowSet{table: t, max: most, young: make(map[string]*row)}
	for i, c := range t.def.Columns {
		if c.Type.Base == checkpoint.JSON {
			s.json = append(s.json, i)
		}
	}
	return s
}

// find returns the row of a key, which is loaded later if it is not in memory, unless it will be replaced without looking.
func (s *rowSet) find(bytes []byte, values func() []any, blind bool) (*row, error) {
	if r := s.young[string(bytes)]; r != nil {
		return r, nil
	}
	if r := s.old[string(bytes)]; r != nil {
		s.young[r.bytes] = r
		return r, nil
	}
	r := s.fresh()
	r.key, r.bytes = values(), string(bytes)
	for i, v := range r.key {
		if v == nil {
			return nil, &ValueError{Table: s.table.def.Name, Column: s.table.def.Key[i], Err: errKeyNull}
		}
	}
	s.young[r.bytes] = r
	if blind {
		r.unread = true
		return r, r.state.load(r.key, nil)
	}
	s.missing = append(s.missing, r)
	return r, nil
}

// fresh returns a row to be filled.
func (s *rowSet) fresh() *row {
	n := len(s.free)
	if n == 0 {
		return &row{state: s.table.newState()}
	}
	r := s.free[n-1]
	s.free = s.free[:n-1]
	*r = row{state: r.state}
	return r
}

// load fetches the missing rows.
func (s *rowSet) load(ctx context.Context, lease checkpoint.Lease) error {
	if len(s.missing) == 0 {
		return nil
	}
	keys := make([][]any, len(s.missing))
	for i, r := range s.missing {
		keys[i] = r.key
	}
	images, err := lease.Load(ctx, s.table.def, keys)
	if err != nil {
		return err
	}
	if len(images) != len(keys) {
		return fmt.Errorf("asked for %d rows, got %d", len(keys), len(images))
	}
	for i, r := range s.missing {
		r.image = images[i]
		r.broken = s.fill(r)
	}
	clear(s.missing)
	s.missing = s.missing[:0]
	return nil
}

func (s *rowSet) fill(r *row) error {
	if r.image != nil {
		for _, i := range s.json {
			if r.image[i] == nil || s.table.def.Columns[i].Type.List {
				continue
			}
			c, err := convertJSON(r.image[i])
			if err != nil {
				return &ValueError{Table: s.table.def.Name, Column: s.table.def.Columns[i].Name, Value: r.image[i], Err: err}
			}
			r.image[i] = c
		}
	}
	return r.state.load(r.key, r.image)
}

func (s *rowSet) touch(r *row) {
	if !r.touched {
		r.touched = true
		s.touched = append(s.touched, r)
	}
}

// writes closes the generation and returns what it has changed.
func (s *rowSet) writes() checkpoint.TableWrite {
	upserts, deletes := s.upserts[:0], s.deletes[:0]
	for _, r := range s.touched {
		r.touched = false
		r.next = r.state.save(r.key)
		switch {
		case r.unread && r.next == nil:
			deletes = append(deletes, r.key)
		case r.unread:
			upserts = append(upserts, r.next)
		case r.next == nil && r.image == nil, r.next != nil && r.image != nil && equalRows(r.next, r.image):
			r.next = nil
			continue
		case r.next == nil:
			deletes = append(deletes, r.key)
		default:
			upserts = append(upserts, r.next)
		}
		s.pending = append(s.pending, r)
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	s.upserts, s.deletes = upserts, deletes
	return checkpoint.TableWrite{Table: s.table.def, Upserts: upserts, Deletes: deletes}
}

func equalRows(a, b []any) bool {
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// committed makes the rows that were being written what the database has.
func (s *rowSet) committed() {
	for _, r := range s.pending {
		r.image, r.next = r.next, nil
		if r.unread && !r.touched {
			delete(s.young, r.bytes) // nobody has looked at it, and most likely nobody will
			delete(s.old, r.bytes)
			s.free = append(s.free, r)
		}
		r.unread = false
	}
	clear(s.pending)
	s.pending = s.pending[:0]
	clear(s.upserts)
	clear(s.deletes)
	if len(s.young) <= s.max/2 {
		return
	}
	s.old = s.young
	s.young = make(map[string]*row, len(s.touched))
	for _, r := range s.touched { // of the next generation already
		s.young[r.bytes] = r
	}
}

// rollback forgets all rows: which of them are as in the database is not known.
func (s *rowSet) rollback() {
	*s = rowSet{table: s.table, max: s.max, json: s.json, young: make(map[string]*row)}
}
