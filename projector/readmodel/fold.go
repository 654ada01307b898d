package readmodel

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// fold implements [projector.Fold]. A batch goes through it in three passes: decode all events and name their rows, load
// the rows that are not in memory (once for each table), apply the changes in order.
type fold struct {
	model      *Model
	projection string
	lease      checkpoint.Lease
	epoch      int64
	rows       []*rowSet // as model.tables
	routes     map[string]*route
	known      []*route // those of routes that do something

	events []source.Event // of the batch
	ops    []op           // of the batch
	looks  []*row         // of ops
	looked [][]any        // what was seen of looks
	noted  int            // how many of looks belong to ops
	at     int            // the event that functions of the user are working on
	step   boundStep      // that names rows now
}

// route is what is done with events of one type.
type route struct {
	feeds []*feed
	steps []boundStep
}

// feed is a decoder and how many events of the batch it holds.
type feed struct {
	decoder
	count int
}

type boundStep struct {
	step
	feed *feed
	rows *rowSet
}

// op changes one row by one event.
type op struct {
	step       step
	rows       *rowSet
	row        *row
	event      int
	slot, item int
	looks      [2]int // from and to, in fold.looks
}

func newFold(m *Model, projection string, lease checkpoint.Lease) *fold {
	f := &fold{model: m, projection: projection, lease: lease, routes: make(map[string]*route)}
	if lease != nil {
		f.epoch = lease.Epoch()
	}
	for _, t := range m.tables {
		f.rows = append(f.rows, newRowSet(t, m.cacheRows))
	}
	return f
}

func (f *fold) Fold(ctx context.Context, events []source.Event) error {
	defer f.reset()
	f.events = events
	failed := f.read(events)
	if err := f.load(ctx); err != nil {
		return err
	}
	if err := f.apply(ctx); err != nil {
		return err // of an event before the one that failed
	}
	return failed
}

// read decodes the events up to the first that cannot be, and notes what is to be done with which rows.
func (f *fold) read(events []source.Event) (err error) {
	before, noted := 0, 0
	defer func() {
		if p := recover(); p != nil {
			err = f.panicked(p)
		}
		if err != nil {
			f.ops, f.looks, f.noted = f.ops[:before], f.looks[:noted], noted
		}
	}()
	for f.at = range events {
		before, noted = len(f.ops), len(f.looks)
		if err := f.readOne(&events[f.at]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fold) readOne(e *source.Event) error {
	r := f.route(e.Type)
	if r == nil {
		return nil
	}
	for _, in := range r.feeds {
		in.count++
		if err := in.decode(e); err != nil {
			return &projector.EventError{Index: f.at, Class: projector.ClassDecode, Err: err}
		}
	}
	for _, s := range r.steps {
		f.step = s
		if err := s.keys(f); err != nil {
			return &projector.EventError{Index: f.at, Class: projector.ClassHandler, Err: err}
		}
	}
	return nil
}

// change implements [wants].
func (f *fold) change(bytes []byte, values func() []any, item int, blind bool) error {
	s := f.step
	row, err := s.rows.find(bytes, values, blind)
	if err != nil {
		return err
	}
	f.ops = append(f.ops, op{
		step: s.step, rows: s.rows, row: row, event: f.at, slot: s.feed.count - 1, item: item,
		looks: [2]int{f.noted, len(f.looks)},
	})
	f.noted = len(f.looks)
	return nil
}

// later implements [wants].
func (f *fold) later(item int) {
	f.ops = append(f.ops, op{
		step: f.step.step, rows: f.step.rows, event: f.at, slot: f.step.feed.count - 1, item: item,
		looks: [2]int{f.noted, len(f.looks)},
	})
	f.noted = len(f.looks)
}

// look implements [wants].
func (f *fold) look(table string, bytes []byte, values func() []any) error {
	if bytes == nil {
		f.looks = append(f.looks, nil)
		return nil
	}
	i := slices.IndexFunc(f.rows, func(s *rowSet) bool { return s.table.def.Name == table })
	if i < 0 {
		return fmt.Errorf("there is no table %q to look at", table)
	}
	row, err := f.rows[i].find(bytes, values, false)
	if err != nil {
		return err
	}
	f.looks = append(f.looks, row)
	return nil
}

func (f *fold) load(ctx context.Context) error {
	for _, rows := range f.rows {
		if err := rows.load(ctx, f.lease); err != nil {
			return fmt.Errorf("load rows of table %q: %w", rows.table.def.Name, err)
		}
	}
	return nil
}

func (f *fold) apply(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = f.panicked(p)
		}
	}()
	for i := range f.ops {
		o := &f.ops[i]
		if f.at = o.event; i == 0 || f.ops[i-1].event != o.event {
			f.see(i)
		}
		if o.row == nil {
			if err := f.find(ctx, o); err != nil {
				return err
			}
		}
		if err := f.applyOne(o); err != nil {
			return f.failed(err)
		}
	}
	return nil
}

func (f *fold) applyOne(o *op) error {
	switch {
	case o.row == nil:
		return nil
	case o.row.broken != nil:
		return o.row.broken
	}
	o.rows.touch(o.row)
	if err := o.row.age(o.rows.table, &f.events[o.event]); err != nil {
		return err
	}
	return o.step.apply(o.slot, o.item, o.row, f.looked[o.looks[0]:o.looks[1]])
}

// find finds the row of a change whose key was not known before; it stays nil if nothing is to be changed.
func (f *fold) find(ctx context.Context, o *op) error {
	bytes, values, err := o.step.(lateStep).key(o.slot, o.item, f.looked[o.looks[0]:o.looks[1]])
	if err != nil {
		return f.failed(err)
	}
	if bytes == nil {
		return nil
	}
	if o.row, err = o.rows.find(bytes, values, false); err != nil {
		return f.failed(err)
	}
	return f.load(ctx)
}

func (f *fold) failed(err error) error {
	return &projector.EventError{Index: f.at, Class: projector.ClassHandler, Err: err}
}

// see notes the rows that the ops of an event, beginning with ops[i], look at, before any of them is changed.
func (f *fold) see(i int) {
	for event := f.ops[i].event; i < len(f.ops) && f.ops[i].event == event; i++ {
		for at := f.ops[i].looks[0]; at < f.ops[i].looks[1]; at++ {
			var columns []any
			if row := f.looks[at]; row != nil {
				columns = row.state.save(row.key)
				if f.expired(row, columns, &f.events[event]) {
					columns = nil
				}
			}
			f.looked = append(f.looked, columns)
		}
	}
}

func (f *fold) panicked(p any) error {
	return &projector.EventError{Index: f.at, Class: projector.ClassHandler, Err: &projector.PanicError{Value: p, Stack: debug.Stack()}}
}

// reset forgets the batch, so that no body is kept.
func (f *fold) reset() {
	f.events = nil
	clear(f.ops)
	f.ops = f.ops[:0]
	clear(f.looks)
	clear(f.looked)
	f.looks, f.looked, f.noted = f.looks[:0], f.looked[:0], 0
	f.step = boundStep{}
	for _, r := range f.known {
		for _, in := range r.feeds {
			in.count = 0
			in.reset()
		}
		for _, s := range r.steps {
			s.reset()
		}
	}
}

// maxUnknownTypes bounds how many types without a rule are remembered.
const maxUnknownTypes = 1000

// route returns what to do with events of a type, nil for nothing.
func (f *fold) route(eventType string) *route {
	if r, known := f.routes[eventType]; known {
		return r
	}
	r := &route{}
	feeds := make(map[decoding]*feed)
	for i, t := range f.model.tables {
		for _, rule := range t.rules {
			if !matches(rule.eventType(), eventType) {
				continue
			}
			d := rule.decoding()
			in := feeds[d]
			if in == nil {
				in = &feed{decoder: d.newDecoder(f.projection, f.epoch)}
				feeds[d] = in
				r.feeds = append(r.feeds, in)
			}
			r.steps = append(r.steps, boundStep{step: rule.bind(in.decoder), feed: in, rows: f.rows[i]})
		}
	}
	if len(r.steps) == 0 {
		r = nil
		if len(f.routes) > maxUnknownTypes {
			return nil
		}
	} else {
		f.known = append(f.known, r)
	}
	f.routes[eventType] = r
	return r
}

func (f *fold) Writes() []checkpoint.TableWrite {
	var writes []checkpoint.TableWrite
	for _, rows := range f.rows {
		if w := rows.writes(); len(w.Upserts)+len(w.Deletes) > 0 {
			writes = append(writes, w)
		}
	}
	return writes
}

func (f *fold) Committed() {
	for _, rows := range f.rows {
		rows.committed()
	}
}

func (f *fold) Rollback() {
	for _, rows := range f.rows {
		rows.rollback()
	}
}

var errKeyNull = errors.New("a key has a value in each column")
