package projector

import (
	"context"

	"github.com/photonpump/projector/projector/source"
)

// parallel is the part of a session that runs side effects beside each other. Their events stay in hand until all before
// them are done too.
type parallel struct {
	pool      *pool // nil = side effects run one by one
	base      int64 // seq of the first event in hand
	submitted int   // so many events in hand were given to the pool, or need not be
	failed    error // of the earliest event that has failed; the pool is left to run empty then
}

// lane is what keeps events in order.
func (s *session) lane(e *source.Event) string {
	key, err := s.orderingKey(e)
	if err != nil {
		return "" // one after the other
	}
	return key
}

// pooled reports whether side effects are given to the pool now.
func (s *session) pooled() bool { return s.pool != nil && s.singles == 0 }

// submit gives the pool what it may work on.
func (s *session) submit() error {
	s.submitted = max(s.submitted, s.applied)
	for s.failed == nil && s.soft.Err() == nil && s.submitted < s.hand.len() && s.pool.pending < s.cfg.batchSize {
		i := s.submitted
		if err := s.queue(&s.hand, i, 1); err != nil {
			return shiftIndex(err, i)
		}
		if s.hasEffect(&s.hand, i) {
			e := s.hand.lasting(i)
			s.pool.add(job{seq: s.base + int64(i), lane: s.lane(e), event: e})
		}
		s.submitted++
	}
	return nil
}

// returned takes the result of a side effect.
func (s *session) returned(r result) {
	s.pool.done(r)
	if r.err == nil {
		s.hand.setCalled(int(r.seq - s.base))
		return
	}
	// The index is a seq, since the events in hand change until the pool is empty.
	if index, _ := whose(s.failed); s.failed == nil || int(r.seq) < index {
		s.failed = &EventError{Index: int(r.seq), Class: classifyHandler(s.store, r.err), Err: r.err}
	}
}

// progressPool folds what has had its side effect, and everything before it too. It reports whether that was any.
func (s *session) progressPool(ctx context.Context) (bool, error) {
	if err := s.submit(); err != nil {
		s.quiesce()
		return true, s.trouble(ctx, err, s.submitted+1)
	}
	if s.failed != nil && s.pool.pending == 0 {
		err := shiftIndex(s.failed, -int(s.base))
		index, _ := whose(err)
		s.quiesce()
		return true, s.trouble(ctx, err, index+1)
	}
	n := s.applied
	for n < s.submitted && n < s.gather.size && !s.hasEffect(&s.hand, n) {
		n++
	}
	if n == s.applied {
		return false, nil
	}
	if err := s.fold(ctx, &s.hand, s.applied, n); err != nil {
		s.quiesce()
		return true, s.trouble(ctx, shiftIndex(err, s.applied), n)
	}
	s.applied = n
	return true, nil
}

// quiesce waits for the side effects that have begun and forgets the others, so that the events in hand can be dealt with one
// by one.
func (s *session) quiesce() {
	if s.pool == nil {
		return
	}
	s.pool.forget()
	for s.pool.pending > 0 {
		s.returned(<-s.pool.results)
	}
	s.failed, s.submitted = nil, 0
}
