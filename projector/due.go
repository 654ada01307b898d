package projector

import (
	"time"
)

// lazyCommit is how long a live projection waits before it commits a position that only moved past events it ignores.
const lazyCommit = time.Second

// room reports whether more may be received. Workers may be ahead of what is committed next.
func (s *session) room() bool {
	most := s.gather.size
	if s.pooled() {
		most = s.cfg.batchSize
	}
	return s.hand.len() < most && s.hand.bytes < s.cfg.batchBytes
}

func (s *session) todo() int { return s.hand.len() - s.applied }

// patience is how long what is in hand may wait for more.
func (s *session) patience() time.Duration {
	switch {
	case s.ended != nil:
		return 0
	case s.shard != nil && s.hand.len() == 0: // only events of other shards
		return lazyCommit
	case !s.live:
		return s.cfg.batchTime
	case s.applied == 0 || !s.wanted():
		return lazyCommit
	case s.todo() > 0: // it came with others
		return min(s.gather.took, s.cfg.batchTime)
	}
	return 0
}

// rest is how long there is nothing to do with what is in hand.
func (s *session) rest() time.Duration {
	if s.unproven() {
		return time.Until(s.probeAt)
	}
	return s.patience() - (s.clock() - s.since)
}

// wanted reports whether any event that was applied was wanted by a part.
func (s *session) wanted() bool { return s.firstHandled(&s.hand, s.applied) < s.applied }

// due reports whether what was applied is to be committed now.
func (s *session) due() bool {
	switch {
	case s.hand.empty(), s.applied == 0 && s.hand.len() > 0:
		return false
	case s.unproven():
		return s.target != nil && s.todo() == 0 && (s.live || s.covers(s.hand.to)) && s.soft.Err() == nil
	case s.applied >= s.gather.size, s.soft.Err() != nil, s.todo() == 0 && s.hand.bytes >= s.cfg.batchBytes, s.target != nil && s.todo() == 0 && s.covers(s.hand.to):
		return true
	}
	return s.clock()-s.since >= s.patience()
}
