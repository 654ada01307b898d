package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// lazyCommit is how long a live projection waits before it commits a position that only moved past events it ignores.
const lazyCommit = time.Second

// releaseBound is how long giving up a lease or a transaction may take.
const releaseBound = 2 * time.Second

// errStopping ends the work in hand early because the runner shuts down.
var errStopping = errors.New("shutting down")

// session is the work of one projection under one lease. One goroutine runs it; the commit of one chunk runs beside it
// while the next one is folded.
type session struct {
	*task
	lease  checkpoint.Lease
	soft   context.Context // ends when no more events may be taken
	keeper *keeper
	folds  []Fold
	log    *slog.Logger

	hand    chunk // received and not in flight
	applied int   // events of hand that are folded and called
	since   time.Time
	flight  *flight // being committed; nil = none
	flights sync.WaitGroup

	position checkpoint.Position // committed
	live     bool                // the source had nothing more
	caughtUp bool                // everything that was there is done; false again when the source runs ahead
	progress bool                // something was committed
}

// run works until it is told to stop, the target of the task is reached, or something is wrong. ctx ends when the work is
// to be abandoned.
func (s *session) run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if s.reached() {
		return nil
	}
	in, err := open(s.soft, s.p.source, s.position)
	if err != nil {
		return err
	}
	defer in.close()
	defer s.flights.Wait()
	s.show()
	return s.loop(ctx, in)
}

// begin checks everything that must be right before the first event.
func (s *session) begin(ctx context.Context) error {
	s.position = s.lease.Position()
	s.hand = chunk{from: s.position, to: s.position}
	if err := s.checkTx(ctx); err != nil {
		return err
	}
	if err := checkLog(s.soft, s.p.source, s.lease, s.log); err != nil {
		return err
	}
	for _, f := range s.p.folders {
		s.folds = append(s.folds, f.NewFold(s.p.name, s.lease))
	}
	return nil
}

// checkTx compares the transaction of the store with what the handlers want.
func (s *session) checkTx(ctx context.Context) error {
	if !s.p.transactional() {
		return nil
	}
	tx, err := s.lease.Begin(s.soft)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	for _, of := range s.p.handlers {
		if of.tx == nil {
			continue
		}
		if err := of.tx.accepts(tx.Native()); err != nil {
			return fmt.Errorf("%w: %w", errWrongTx, err)
		}
	}
	return nil
}

func (s *session) loop(ctx context.Context, in *intake) error {
	for {
		if s.flight == nil && s.due() {
			s.launch(ctx)
		}
		if s.flight == nil && (s.soft.Err() != nil || s.reached()) {
			return context.Cause(ctx)
		}
		if err := s.turn(ctx, in); err != nil {
			return s.end(ctx, err)
		}
	}
}

// end turns the error that ended the loop into the one that caused it.
func (s *session) end(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, errStopping) || s.soft.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// turn does one thing: works on the next events in hand, or waits for what comes.
func (s *session) turn(ctx context.Context, in *intake) error {
	if s.todo() > 0 && s.soft.Err() == nil && s.applied < s.cfg.batchSize {
		if s.flight != nil {
			select {
			case err := <-s.flight.done:
				return s.arrived(ctx, err)
			default:
			}
		}
		return s.step(ctx)
	}
	var batches <-chan source.Batch
	var stopping <-chan struct{}
	if s.soft.Err() == nil {
		stopping = s.soft.Done()
		if len(s.hand.events) < s.cfg.batchSize {
			batches = in.batches
		}
	}
	var arrival chan error
	var due <-chan time.Time
	if s.flight != nil {
		arrival = s.flight.done
	} else if !s.hand.empty() {
		t := time.NewTimer(s.patience() - time.Since(s.since))
		defer t.Stop()
		due = t.C
	}
	select {
	case batch, ok := <-batches:
		if !ok {
			return in.err
		}
		s.receive(batch)
	case err := <-arrival:
		return s.arrived(ctx, err)
	case <-due:
	case <-stopping:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (s *session) todo() int { return len(s.hand.events) - s.applied }

// receive takes a batch into the hand.
func (s *session) receive(b source.Batch) {
	if s.hand.empty() {
		s.since = time.Now()
		if len(b.Events) > 0 {
			s.board.hand(b.Events[0].Created)
		}
	}
	s.hand.add(b)
	s.live = b.Live
	s.show()
}

// step folds and calls the next events in hand. Those with side effects go one by one, so that they can be committed as
// soon as they are done.
func (s *session) step(ctx context.Context) error {
	n := min(s.todo(), s.cfg.batchSize-s.applied)
	effect := false
	for i := 0; i < n && !effect; i++ {
		of := s.p.handlers[s.hand.events[s.applied+i].Type]
		if of != nil && of.effect != nil && s.applied+i >= s.hand.called {
			n, effect = i+1, true
		}
	}
	err := s.fold(ctx, s.hand.events[s.applied:s.applied+n])
	if err == nil && effect {
		if err = s.effect(ctx, &s.hand.events[s.applied+n-1]); err != nil {
			err = &EventError{Index: n - 1, Class: classifyHandler(s.store, err), Err: err}
		}
	}
	if err != nil {
		return s.trouble(ctx, err, n)
	}
	s.applied += n
	s.hand.called = max(s.hand.called, s.applied)
	return nil
}

// trouble deals with an error among the next n events in hand. All that was folded is forgotten, so it begins with those
// applied before.
func (s *session) trouble(ctx context.Context, err error, n int) error {
	if index, somewhere := whose(err); index < 0 && !somewhere {
		return err
	}
	before := s.applied // a flight that fails resets it
	if s.flight != nil {
		if err := s.arrived(ctx, <-s.flight.done); err != nil {
			return err
		}
	}
	s.rollback()
	bad := s.hand.cut(s.p.source, before+n)
	s.applied = 0
	if event := (*EventError)(nil); errors.As(err, &event) {
		err = &EventError{Index: event.Index + before, Class: event.Class, Err: event.Err}
	}
	return s.carefully(ctx, &bad, len(bad.events), err)
}

// patience is how long what is in hand may wait for more.
func (s *session) patience() time.Duration {
	switch {
	case !s.live:
		return s.cfg.batchTime
	case s.applied > 0 && s.wanted():
		return 0
	}
	return lazyCommit
}

// wanted reports whether any event that was applied was wanted by a part.
func (s *session) wanted() bool {
	for i := range s.hand.events[:s.applied] {
		if s.p.handles(s.hand.events[i].Type) {
			return true
		}
	}
	return false
}

// due reports whether what was applied is to be committed now.
func (s *session) due() bool {
	switch {
	case s.hand.empty(), s.applied == 0 && len(s.hand.events) > 0:
		return false
	case s.applied >= s.cfg.batchSize, s.soft.Err() != nil, s.target != nil && s.covers(s.hand.to):
		return true
	}
	return time.Since(s.since) >= s.patience()
}

// launch commits what was applied, beside the work on what comes next.
func (s *session) launch(ctx context.Context) {
	f := s.prepare(s.hand.cut(s.p.source, s.applied))
	f.done = make(chan error, 1)
	s.flight, s.applied, s.since = f, 0, time.Now()
	s.flights.Go(func() { f.done <- s.commit(ctx, f) }) // ends with the transaction
}

// arrived deals with the outcome of the flight.
func (s *session) arrived(ctx context.Context, err error) error {
	f := s.flight
	s.flight = nil
	if err == nil {
		s.landed(f, 0)
		s.showHand()
		s.show()
		return nil
	}
	s.unsure(f, err)
	if index, somewhere := whose(err); index < 0 && !somewhere {
		return err
	}
	s.rollback()
	s.applied = 0
	return s.carefully(ctx, &f.chunk, len(f.events), err)
}

// showHand publishes the age of what is in hand. While catching up, something always is, here or on its way.
func (s *session) showHand() {
	switch {
	case len(s.hand.events) > 0:
		s.board.hand(s.hand.events[0].Created)
	case s.live:
		s.board.hand(time.Time{})
	}
}

// covers reports whether p is at or behind the target.
func (s *session) covers(p checkpoint.Position) bool {
	order, ok := p.Compare(*s.target)
	return ok && order >= 0
}

// reached reports whether the target is reached. A source that has nothing more, asked after the target was set, is past
// it too.
func (s *session) reached() bool {
	return s.target != nil && (s.covers(s.position) || s.live && s.hand.empty())
}

// show publishes the state that follows from how far the source was read.
func (s *session) show() {
	s.caughtUp = s.live && (s.caughtUp || s.flight == nil && len(s.hand.events) == 0)
	if s.caughtUp {
		s.state(StateLive, "")
	} else {
		s.state(StateCatchingUp, "")
	}
}

// state publishes a state, here and in the database.
func (s *session) state(state State, reason string) {
	if s.board.set(state, reason) {
		s.keeper.tell(state, reason)
		s.log.Debug("state", keyState, string(state), keyReason, reason)
	}
}
