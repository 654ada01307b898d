package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// releaseBound is how long giving up a lease or a transaction may take.
const releaseBound = 2 * time.Second

// errStopping ends the work in hand early because the runner shuts down.
var errStopping = errors.New("shutting down")

// session is the work of one projection under one lease. One goroutine runs it; the commit of one chunk runs beside it
// while the next one is folded.
type session struct {
	*task
	lease     checkpoint.Lease
	began     time.Time
	soft      context.Context // ends when no more events may be taken
	keeper    *keeper
	folds     []Fold
	caller    *caller
	originals map[uuid.UUID]source.Event // of events that were upcast, by RecordID
	broken    map[uuid.UUID]error        // why events could not be upcast
	routes    routes
	log       *slog.Logger

	in     *subscriber
	stalls int   // subscriptions in a row that stalled
	ended  error // why nothing more comes, once what is in hand is done

	stuck chan error // one slot: a handler does not come back
	parallel

	gather  gatherer
	hand    chunk         // received and not in flight
	applied int           // events of hand that are folded and called
	since   time.Duration // by clock
	flight  *flight       // being committed; nil = none

	last     lastSeen            // of the last events received
	accepted map[uuid.UUID]bool  // events that nobody handles, for which something was done
	after    map[uuid.UUID]error // events that follow on a gap, if that is to stop the projection

	parking checkpoint.ParkingLease // nil = the store does not keep parked events
	parked  map[string]int64        // parked events by ordering key
	probes  *backoff.ExponentialBackOff
	probeAt time.Time          // when events that were held back are tried again
	final   map[uuid.UUID]bool // events that were held back and have their last attempt now, by RecordID
	probing bool               // failures are tried once only, until something succeeds
	opened  int                // so often the breaker has opened since something succeeded
	inDoubt bool               // the event that was parked last may not be the cause of its failure
	hold    hold               // what everything waits for, if held

	overfull bool             // there may be parked events that are not to be kept
	expireAt <-chan time.Time // when to look for those that are too old; nil = never

	pruneAt <-chan time.Time // when to look for rows that are too old; nil = never
	aged    bool             // there may be such rows
	newest  time.Time        // when the newest event that is committed was created

	singles int               // so many events are handled one by one, because the last owners have died
	marker  checkpoint.Marker // of the last owner, until the next event
	killer  uuid.UUID         // the event that was marked when the last owner died

	position checkpoint.Position // committed
	live     bool                // the source had nothing more
	caughtUp bool                // everything that was there is done; false again when the source runs ahead
	progress atomic.Bool         // something was committed
}

func newSession(soft context.Context, t *task, lease checkpoint.Lease, k *keeper) *session {
	return &session{
		task: t, lease: lease, began: time.Now(), soft: soft, keeper: k, log: t.log.With(keyEpoch, lease.Epoch()),
		gather: newGatherer(t.cfg.batchSize, t.opts.tasks), probes: t.cfg.retry.delays(), routes: routes{p: t.p},
		originals: make(map[uuid.UUID]source.Event), broken: make(map[uuid.UUID]error), after: make(map[uuid.UUID]error),
		accepted: make(map[uuid.UUID]bool), final: make(map[uuid.UUID]bool), stuck: make(chan error, 1),
	}
}

// clock is a time to measure durations by. It costs half of what time.Now does.
func (s *session) clock() time.Duration { return time.Since(s.began) }

// run works until it is told to stop, the target of the task is reached, or something is wrong. ctx ends when the work is
// to be abandoned.
func (s *session) run(ctx context.Context) error {
	if s.p.group != nil {
		return newGroupSession(s).consume(ctx)
	}
	s.caller = newCaller(s)
	if err := checkLog(s.soft, s.p.source, s.lease, s.log); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if s.reached() {
		return nil
	}
	in, err := open(s.soft, s.task, s.position)
	if err != nil {
		return err
	}
	s.in = in
	defer func() { s.in.close() }()
	defer s.lastFlight()
	if s.cfg.workers > 1 && len(s.p.effects) > 0 {
		s.pool = newPool(ctx, s, s.cfg.workers)
		defer s.pool.close()
		defer s.quiesce()
	}
	var endExpiry, endPruning func()
	s.expireAt, endExpiry = s.expiry()
	defer endExpiry()
	s.pruneAt, endPruning = s.pruning()
	defer endPruning()
	if err := s.wake(ctx); err != nil {
		return s.end(ctx, err)
	}
	return s.loop(ctx)
}

// begin checks everything that must be right before the first event.
func (s *session) begin(ctx context.Context) error {
	s.position = s.lease.Position()
	s.hand = chunk{from: s.position, to: s.position}
	s.last = numbersAt(s.position)
	if err := s.checkTx(ctx); err != nil {
		return err
	}
	if err := s.loadParked(); err != nil {
		return err
	}
	if s.whole && !s.cfg.parkWhole {
		s.log.Info("one ordering key for all events: everything waits behind one that is parked", keyReason, s.p.crossing())
	}
	s.suspectDeath()
	for _, f := range s.p.folders {
		s.folds = append(s.folds, f.NewFold(s.p.name, s.lease))
	}
	return nil
}

// checkTx compares the transaction of the store with what the handlers want.
func (s *session) checkTx(ctx context.Context) error {
	if len(s.p.txs) == 0 {
		return nil
	}
	tx, err := s.lease.Begin(s.soft)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	for _, h := range s.p.txs {
		if err := h.accepts(tx); err != nil {
			return fmt.Errorf("%w: %w", errWrongTx, err)
		}
	}
	return nil
}

func (s *session) loop(ctx context.Context) error {
	for {
		if s.prunes() {
			if err := s.prune(ctx); err != nil {
				return s.end(ctx, err)
			}
		}
		if s.flight == nil && s.due() {
			if s.hand.doubtful() > 0 && s.holdsBack() {
				if err := s.verify(ctx); err != nil {
					return s.end(ctx, err)
				}
				continue
			}
			s.launch(ctx)
		}
		if s.flight == nil && s.soft.Err() == nil && s.reached() {
			if err := s.pruneAll(ctx); err != nil {
				return s.end(ctx, err)
			}
		}
		if s.flight == nil && (s.soft.Err() != nil || s.reached()) {
			return context.Cause(ctx)
		}
		if s.ended != nil && s.flight == nil && (s.hand.empty() || s.unproven()) {
			return s.end(ctx, s.ended)
		}
		err := s.turn(ctx)
		if errors.Is(err, errStalled) {
			err = s.resubscribe()
		}
		if err != nil {
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
//
//nolint:cyclop // one select over everything that can happen
func (s *session) turn(ctx context.Context) error {
	if len(s.keeper.commands) > 0 {
		return s.execute(ctx, <-s.keeper.commands)
	}
	if s.expires() {
		return s.expire(ctx)
	}
	if s.flight == nil && s.held() {
		return s.await(ctx)
	}
	var jobs chan<- job
	var next job
	var results chan result
	if s.pooled() {
		if busy, err := s.progressPool(ctx); busy || err != nil {
			return err
		}
		results = s.pool.results
		jobs, next = s.pool.next()
	} else if s.todo() > 0 && s.soft.Err() == nil && s.applied < s.gather.size {
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
		if s.room() && s.ended == nil {
			batches = s.in.batches
		}
	}
	var arrival chan error
	var due, idle <-chan time.Time
	if s.flight != nil {
		arrival = s.flight.done
	} else if s.applied > 0 || s.hand.len() == 0 && !s.hand.empty() {
		t := time.NewTimer(s.rest())
		defer t.Stop()
		due = t.C
	} else if s.hand.len() == 0 {
		t := time.NewTimer(s.cfg.stallAfter)
		defer t.Stop()
		idle = t.C
	}
	select {
	case batch, ok := <-batches:
		if !ok {
			return s.drained()
		}
		s.receive(batch)
	case err := <-arrival:
		return s.arrived(ctx, err)
	case <-due:
		if s.unproven() {
			return s.probe(ctx)
		}
	case <-idle:
		return s.watch()
	case <-s.expireAt:
		s.overfull = true
	case <-s.pruneAt:
		s.aged = true
	case jobs <- next:
		s.pool.given()
	case r := <-results:
		s.returned(r)
	case commands := <-s.keeper.commands:
		return s.execute(ctx, commands)
	case <-stopping:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// drained deals with the end of the subscription. If the projection is to stop behind what it has delivered, that is done
// first.
func (s *session) drained() error {
	if isStopped(s.in.err) {
		s.ended = s.in.err
		return nil
	}
	return s.in.err
}

// receive takes a batch into the hand.
func (s *session) receive(b source.Batch) {
	if s.hand.empty() {
		s.since = s.clock()
	}
	s.countGaps(b.Events)
	b.Events = s.upcast(b.Events)
	s.hand.receive(b)
	s.live = b.Live
	s.moving()
	s.show()
}
