package projector

import (
	"context"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Severity orders states by how much they want somebody to look: a projection that is divided into shards is in the state of
// the one whose severity is greatest. The reason is that of the state.
func Severity(state State, reason string) int {
	switch state {
	case StateStopped:
		if reason != "" {
			return 9
		}
		return 0 // done
	case StatePaused:
		return 8
	case StateRetrying:
		return 7
	case StateStarting:
		return 6
	case StateRebuilding, StateCatchingUp:
		return 5
	case StateLive:
		return 4
	case StateStandby:
		return 1
	}
	return 2
}

// show publishes the state of the whole after that of a shard has changed.
func (ss *shardSet) show(stateToo bool) {
	if stateToo {
		ss.showing.Lock()
		defer ss.showing.Unlock()
		st := ss.status()
		if st.State != StateStopped { // the end is told when all have ended
			ss.board.set(st.State, st.Reason)
			return
		}
	}
	ss.board.mu.Lock()
	defer ss.board.mu.Unlock()
	ss.board.broadcast()
}

// status is that of all shards that this process owns.
func (ss *shardSet) status() Status {
	whole := ss.board.snapshot()
	all := make([]Status, len(ss.all))
	for i, s := range ss.all {
		all[i] = s.board.snapshot()
	}
	return sumStatus(whole, all)
}

// sumStatus adds the shards to the status of the whole.
func sumStatus(whole Status, all []Status) Status {
	sum := whole
	sum.Shards, sum.ShardsHere = len(all), 0
	sum.LagEvents, sum.Lag = 0, 0
	worst := -1
	for i := range all {
		s := &all[i]
		severity := Severity(s.State, s.Reason)
		if severity > Severity(StateStandby, "") && (worst < 0 || severity > Severity(all[worst].State, all[worst].Reason)) {
			worst = i
		}
		sum.Handled += s.Handled
		sum.Ignored += s.Ignored
		sum.Skipped += s.Skipped
		sum.Dropped += s.Dropped
		sum.Expired += s.Expired
		sum.Gaps += s.Gaps
		sum.Restarts += s.Restarts
		sum.Stalled = sum.Stalled || s.Stalled
		if s.LastCommit.After(sum.LastCommit) {
			sum.LastCommit = s.LastCommit
		}
		if s.LastError != nil {
			sum.LastError = s.LastError
		}
		if s.Epoch > 0 {
			sum.addOwned(s)
		}
	}
	if sum.ShardsHere == 0 {
		sum.LagEvents, sum.Lag = -1, -1
		sum.addLeft(all)
	}
	if whole.State == StateStopped {
		return sum
	}
	switch {
	case worst < 0 && sum.ShardsHere == 0:
		sum.State, sum.Reason = StateStandby, fmt.Sprintf("owns none of %d shards", len(all))
	case worst >= 0:
		sum.State, sum.Reason = all[worst].State, all[worst].Reason
		if sum.Reason != "" {
			sum.Reason = fmt.Sprintf("shard %d: %s", worst, sum.Reason)
		}
	}
	return sum
}

// addOwned adds a shard that this process owns: the rearmost says how far the projection is.
func (s *Status) addOwned(shard *Status) {
	first := s.ShardsHere == 0
	s.ShardsHere++
	s.Epoch = max(s.Epoch, shard.Epoch)
	s.Parked += shard.Parked
	s.ParkedKeys += shard.ParkedKeys
	if order, ok := shard.Position.Compare(s.Position); first || ok && order < 0 {
		s.Position, s.Resumed = shard.Position, shard.Resumed
	}
	if order, ok := shard.Head.Compare(s.Head); first || ok && order > 0 {
		s.Head = shard.Head
	}
	s.LagEvents = worse(s.LagEvents, shard.LagEvents)
	s.Lag = worse(s.Lag, shard.Lag)
}

// addLeft says how far this process has come where it owns no shard any more.
func (s *Status) addLeft(all []Status) {
	first := true
	for i := range all {
		left := &all[i]
		if left.Position.IsStart() {
			continue // most often it was not owned
		}
		if order, ok := left.Position.Compare(s.Position); first || ok && order < 0 {
			s.Position = left.Position
		}
		if order, ok := left.Resumed.Compare(s.Resumed); first || ok && order < 0 {
			s.Resumed = left.Resumed
		}
		first = false
	}
}

// worse is the greater lag; one that is not known is worse than any.
func worse[T int64 | time.Duration](a, b T) T {
	if a < 0 || b < 0 {
		return -1
	}
	return max(a, b)
}

// past reports whether all shards have reached a position, here or in other processes.
func (ss *shardSet) past(ctx context.Context, at checkpoint.Position) (bool, error) {
	var known *checkpoint.Status
	for i, s := range ss.all {
		position, here := s.board.settled()
		if !here {
			if known == nil {
				var err error
				if known, err = ss.stored(ctx); err != nil || known == nil || len(known.Shards) != ss.n {
					return false, err
				}
			}
			position = known.Shards[i].Position
		}
		if !position.SameKind(at) {
			return false, fmt.Errorf("projection %q is at %v, which cannot be compared with %v", ss.p.name, position, at)
		}
		if order, ok := position.Compare(at); !ok || order < 0 {
			return false, nil
		}
	}
	return true, nil
}
