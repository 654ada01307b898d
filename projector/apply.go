package projector

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

var errWrongTx = errors.New("handler does not fit the store")

// fold applies the events from one index to before another to the rows in memory. The index in an *[EventError] counts from
// the first of them.
func (s *session) fold(ctx context.Context, c *chunk, from, to int) error {
	if len(s.folds) == 0 {
		return nil
	}
	for start, events := range c.slices(from, to) {
		for _, f := range s.folds {
			if err := guardFold(ctx, f, events); err != nil {
				return shiftIndex(foldError(err), start-from)
			}
		}
	}
	return nil
}

// guardFold makes a panic an error. Which event it was is found by halving.
func guardFold(ctx context.Context, f Fold, events []source.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &someError{class: ClassHandler, err: &PanicError{Value: v, Stack: debug.Stack()}}
		}
	}()
	return f.Fold(ctx, events)
}

func foldError(err error) error {
	var event *EventError
	var row *checkpoint.RowError
	var some *someError
	if errors.As(err, &event) {
		return &EventError{Index: event.Index, Class: event.Class, Err: &ownFault{event.Err}}
	}
	if errors.As(err, &some) {
		return err
	}
	if errors.As(err, &row) {
		return &someError{class: ClassHandler, err: err} // a key that its column cannot hold
	}
	return fmt.Errorf("load rows: %w", err)
}

// ownFault is an error that no outage can have caused, as folding does no I/O.
type ownFault struct{ err error }

func (o *ownFault) Error() string { return o.err.Error() }
func (o *ownFault) Unwrap() error { return o.err }

// someError is a failure that belongs to one event of those that were tried, but it is not known to which.
type someError struct {
	class Class
	err   error
}

func (e *someError) Error() string { return e.err.Error() }
func (e *someError) Unwrap() error { return e.err }

// effect runs the side effect of the i-th event of a chunk, if it has one and has not had it.
func (s *session) effect(ctx context.Context, c *chunk, i int) error {
	if !s.hasEffect(c, i) {
		return nil
	}
	e := c.lasting(i)
	if err := s.caller.call(ctx, s.route(e.Type).effect, nil, e); err != nil {
		return &EventError{Index: i, Class: classifyHandler(s.store, err), Err: err}
	}
	c.setCalled(i)
	return nil
}

// hasEffect reports whether the i-th event of a chunk still has to have a side effect.
func (s *session) hasEffect(c *chunk, i int) bool {
	e := c.at(i)
	return s.route(e.Type).effect != nil && !c.isCalled(i) && !s.replayed(e)
}

// replayed reports whether the event is one whose side effects were had long ago.
func (s *session) replayed(e *source.Event) bool {
	if s.cfg.floor.IsStart() {
		return false
	}
	order, ok := e.Position.Compare(s.cfg.floor)
	return ok && order <= 0
}

// prepare makes a flight of a chunk all of whose events are folded and called.
func (s *session) prepare(c chunk) *flight {
	f := &flight{chunk: c, change: checkpoint.Change{From: c.from, To: c.to, Last: c.last()}, began: time.Now()}
	for _, events := range c.slices(0, c.len()) {
		for i := range events {
			if s.handles(events[i].Type) {
				f.change.Handled++
			}
		}
	}
	f.change.Skipped, f.change.Dedupe = c.skipped, c.dedupe
	f.change.Ignored = int64(c.len()-len(c.diverted)) - c.skipped - f.change.Handled
	f.change.Park = c.parked(s.original, s.cfg.redact)
	for _, fold := range s.folds {
		f.change.Writes = append(f.change.Writes, fold.Writes()...)
	}
	return f
}

// commit brings a flight into the database. An error that belongs to an event is an *EventError or a *someError; after
// any other the outcome may be unknown.
func (s *session) commit(ctx context.Context, f *flight) error {
	if !s.wantsTx(&f.chunk) {
		return s.commitError(s.lease.Commit(ctx, f.change))
	}
	return s.inTx(ctx, &f.chunk, func(tx checkpoint.Tx) error { return s.commitError(tx.Commit(ctx, f.change)) })
}

// inTx calls the handlers that want the transaction, and then does what ends it.
func (s *session) inTx(ctx context.Context, c *chunk, end func(checkpoint.Tx) error) error {
	tx, err := s.lease.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	caller := newCaller(s)
	defer caller.close()
	for i := range c.len() {
		e := c.lasting(i)
		h := s.p.tx(e.Type)
		if h == nil {
			continue
		}
		if err := caller.call(ctx, h, tx, e); err != nil {
			rollback(ctx, tx)
			return &EventError{Index: i, Class: classifyHandler(s.store, err), Err: err}
		}
	}
	return end(tx)
}

// rollback abandons a transaction, also when the work is being abandoned. What goes wrong with it shows at the next use of
// the database.
func rollback(ctx context.Context, tx checkpoint.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseBound)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// wantsTx reports whether a handler wants the transaction. It is called beside the work on what comes next.
func (s *session) wantsTx(c *chunk) bool {
	if len(s.p.txs) == 0 {
		return false
	}
	for _, events := range c.slices(0, c.len()) {
		for i := range events {
			if s.p.tx(events[i].Type) != nil {
				return true
			}
		}
	}
	return false
}

// commitError tells a refused value from the rest. Nothing is applied when the database refuses a value.
func (s *session) commitError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, checkpoint.ErrFenced):
		return err
	case s.store.Classify(err) == checkpoint.ClassData:
		return &someError{class: ClassHandler, err: err}
	}
	return fmt.Errorf("commit: %w", err)
}

// landed notes that a flight is in the database.
func (s *session) landed(f *flight) {
	for _, fold := range s.folds {
		fold.Committed()
	}
	s.keeper.touch(f.began)
	s.position = f.to
	if n := f.len(); n > 0 {
		if created := f.at(n - 1).Created; created.After(s.newest) {
			s.newest = created
		}
	}
	s.forget(&f.chunk)
	s.progress.Store(true)
	rows := 0
	for _, w := range f.change.Writes {
		rows += len(w.Upserts) + len(w.Deletes)
	}
	if f.change.Handled > 0 {
		s.probing, s.opened = false, 0
		s.probes.Reset()
	}
	for i := range f.diverted {
		d := &f.diverted[i]
		s.parked[d.key]++
		if d.err != nil { // the others wait behind it
			s.log.Error("event parked", keyEventType, d.event.Type, keyStream, d.event.Stream, keyNumber, d.event.Number,
				keyOrderingKey, d.key, keyReason, d.class, keyErr, d.err)
		}
	}
	if len(f.diverted) > 0 {
		s.showParked()
		s.crowd()
	}
	s.board.committed(Commit{
		Position: f.to, Handled: int(f.change.Handled), Ignored: int(f.change.Ignored), Skipped: int(f.change.Skipped),
		Parked: len(f.diverted), Rows: rows, Took: time.Since(f.began),
	})
}

// rollback forgets the rows of everything that is not committed.
func (s *session) rollback() {
	for _, fold := range s.folds {
		fold.Rollback()
	}
}

// apply folds, calls and commits a chunk, one after the other. After an error nothing of it is in memory, and what has had
// its side effect is noted in the chunk.
func (s *session) apply(ctx context.Context, c *chunk) error {
	err := s.queue(c, 0, c.len())
	if err == nil {
		err = s.fold(ctx, c, 0, c.len())
	}
	for i := 0; err == nil && i < c.len(); i++ {
		err = s.effect(ctx, c, i)
	}
	if err == nil {
		f := s.prepare(*c)
		if err = s.commit(ctx, f); err == nil {
			s.landed(f)
			return nil
		}
		s.unsure(f, err)
	}
	s.rollback()
	return err
}
