package projector

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

const (
	// shardBeats is how often in the life of a lease a process says that it takes part, once a second at least.
	shardBeats = 5
	// surplusBeats is how many beats in a row a process must see that it has more than its part before it gives shards up:
	// somebody who comes and goes at once moves nothing.
	surplusBeats = 2
)

// meet takes part in the projection until ctx ends: it acquires as many shards as are this process's part, and gives up those
// beyond it.
func (ss *shardSet) meet(ctx context.Context) {
	defer ss.leave(ctx)
	every := min(ss.opts.ttl/shardBeats, time.Second)
	me := checkpoint.Member{Instance: ss.opts.instance, Owner: ss.opts.owner}
	for {
		meeting, err := ss.store.Meet(ctx, ss.p.name, me, ss.opts.ttl)
		switch {
		case err == nil:
			if !ss.take(&meeting) {
				ss.absent()
			}
		case ctx.Err() == nil:
			ss.log.Warn("not known who else takes part; keeping the shards that are held", keyErr, err)
		}
		if !sleep(ctx, every-rand.N(every/4+1)) { //nolint:gosec // jitter
			return
		}
	}
}

// gatherPatience is how long a shared subscription waits, before it begins, for the other shards that are to have part in it.
const gatherPatience = time.Second

// gather waits until every shard that was granted has joined the subscription, or has come to nothing.
func (ss *shardSet) gather(ctx context.Context) {
	if ss == nil {
		return
	}
	patience := time.NewTimer(gatherPatience)
	defer patience.Stop()
	for {
		ss.mu.Lock()
		waiting := slices.ContainsFunc(ss.all, func(s *shard) bool { return s.joining })
		changed := ss.changed
		ss.mu.Unlock()
		if !waiting {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			return
		case <-changed:
		}
	}
}

// joined notes that nobody needs to wait for the shard any more.
func (s *shard) joined() {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.leaveGathering()
}

// leaveGathering is joined with the mutex held.
func (s *shard) leaveGathering() {
	if s.joining {
		s.joining = false
		s.set.wake()
	}
}

// leave tells the others, so that they need not wait for the ttl.
func (ss *shardSet) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseBound)
	defer cancel()
	if err := ss.store.Leave(ctx, ss.p.name, ss.opts.instance); err != nil {
		ss.log.Debug("leaving not stored", keyErr, err)
	}
}

// partOf is how many of n shards a member is to own: the same for all, and one more for those that came first if they cannot
// be divided evenly.
func partOf(members []checkpoint.Member, me uuid.UUID, n int) int {
	at := slices.IndexFunc(members, func(m checkpoint.Member) bool { return m.Instance == me })
	if at < 0 {
		return 0
	}
	part := n / len(members)
	if at < n%len(members) {
		part++
	}
	return part
}

// take decides which shards to acquire and which to give up. It reports whether there are any to work on.
func (ss *shardSet) take(m *checkpoint.Meeting) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	defer ss.wake()
	part, have := partOf(m.Members, ss.opts.instance, ss.n), 0
	var free []*shard
	for i, s := range ss.all {
		nobody := i < len(m.Shards) && (m.Shards[i].Instance == uuid.Nil || m.Shards[i].Instance == ss.opts.instance)
		switch {
		case s.done || s.given:
		case s.granted || s.giveUp != nil:
			have++
		case nobody || len(m.Shards) != ss.n: // divided anew: acquiring it says so
			free = append(free, s)
		}
	}
	switch {
	case have > part:
		if ss.surplus++; ss.surplus >= surplusBeats {
			ss.surrender(have - part)
		}
		return part > 0
	case have < part:
		rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
		for _, s := range free[:min(len(free), part-have)] {
			s.granted, s.joining = true, true
		}
	}
	ss.surplus = 0
	return part > 0
}

// surrender gives up so many shards.
func (ss *shardSet) surrender(n int) {
	for _, s := range slices.Backward(ss.all) {
		switch {
		case n == 0:
			return
		case s.given:
		case s.giveUp != nil:
			ss.log.Info("giving a shard up to another process", keyShard, s.index)
			s.giveUp()
			s.given = true
			n--
		case s.granted:
			s.granted = false
			s.leaveGathering()
			n--
		}
	}
}

// wake wakes the shards that wait for a grant.
func (ss *shardSet) wake() {
	close(ss.changed)
	ss.changed = make(chan struct{})
}

// acquire waits until the shard is granted and takes its lease. It returns nil when there is nothing to do: stop has ended, or
// the target was reached elsewhere.
func (s *shard) acquire(stop context.Context) (checkpoint.Lease, error) {
	for {
		granted, changed := s.isGranted()
		if !granted {
			s.board.set(StateStandby, "")
			if done, err := s.doneElsewhere(stop); done || err != nil {
				if done {
					s.board.elsewhere(*s.target)
				}
				return nil, s.finish(err)
			}
			select {
			case <-stop.Done():
				return nil, nil
			case <-changed:
			}
			continue
		}
		lease, err := s.store.Acquire(stop, s.claim())
		switch {
		case err == nil:
			return lease, nil
		case stop.Err() != nil:
			return nil, nil
		case !errors.Is(err, checkpoint.ErrHeld):
			return nil, s.named(err)
		}
		s.withdraw() // somebody was faster, or has not released it yet
	}
}

// named makes an error about the definition one of the projection.
func (s *shard) named(err error) error {
	if changed := (*checkpoint.DefinitionError)(nil); errors.As(err, &changed) {
		c := *changed
		c.Name = s.p.name
		return &c
	}
	return err
}

func (s *shard) isGranted() (bool, <-chan struct{}) {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	return s.granted, s.set.changed
}

// isGiven reports whether the work on the shard ends because another process is to have it.
func (s *shard) isGiven() bool {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	return s.given
}

func (s *shard) withdraw() {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.granted = false
	s.leaveGathering()
}

// finish notes that there is nothing more to do for the shard, unless that could not be found out.
func (s *shard) finish(err error) error {
	if err == nil {
		s.set.mu.Lock()
		defer s.set.mu.Unlock()
		s.done, s.granted = true, false
		s.leaveGathering()
	}
	return err
}

// own returns a context that ends when the shard is to be given up, and a function that says that it is not owned any more
// and turns the outcome of the work into what follows from that.
func (s *shard) own(stop context.Context) (context.Context, func(error) error) {
	ctx, cancel := context.WithCancel(stop)
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.giveUp, s.granted, s.given = cancel, false, false
	return ctx, func(err error) error {
		cancel()
		s.set.mu.Lock()
		given := s.given
		s.giveUp, s.given = nil, false
		s.leaveGathering()
		s.set.mu.Unlock()
		switch {
		case err == nil && given && stop.Err() == nil:
			return errGivenUp
		case err == nil && stop.Err() == nil:
			return s.finish(nil)
		}
		return err
	}
}
