package projector

import (
	"time"

	"github.com/photonpump/projector/checkpoint"
)

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

// show publishes the state that follows from how far the source was read, and the age of what is in hand: while catching
// up something always is, here or on its way.
func (s *session) show() {
	switch {
	case s.hand.len() > 0:
		s.board.hand(s.hand.at(0).Created)
	case s.live:
		s.board.hand(time.Time{})
	}
	if s.shard != nil && s.hand.len() == 0 && s.flight == nil {
		s.board.settle(s.hand.to)
	}
	if s.held() {
		s.state(StatePaused, s.waiting())
		return
	}
	if s.hand.doubtful() > 0 {
		return // it tells more that they are tried again
	}
	s.caughtUp = s.live && (s.caughtUp || s.flight == nil && s.hand.len() == 0)
	if s.caughtUp {
		s.state(StateLive, "")
	} else {
		s.state(StateCatchingUp, "")
	}
}

// state publishes a state, here and in the database.
func (s *session) state(state State, reason string) {
	if s.board.set(state, reason) {
		if s.keeper != nil {
			s.keeper.tell(state, reason)
		}
		s.log.Debug("state", keyState, string(state), keyReason, reason)
	}
}
