package projector

import (
	"errors"
	"time"
)

// DefaultStallAfter is after how long a silent subscription is replaced, unless [WithStallAfter] says otherwise.
const DefaultStallAfter = 30 * time.Second

// hopelessStalls is how many subscriptions in a row must stall before restarting the process is worth a try.
const hopelessStalls = 3

var errStalled = errors.New("the subscription delivers nothing although the log goes on")

// watch is called when nothing is in hand and nothing has come for a while. That is well unless the log, asked on its own, is
// known to go on.
func (s *session) watch() error {
	if s.soft.Err() == nil && s.board.ahead() >= s.cfg.stallAfter {
		return errStalled
	}
	return nil
}

// resubscribe replaces a subscription that has stalled.
func (s *session) resubscribe() error {
	s.stalls++
	s.board.stalled(1, s.stalls >= hopelessStalls)
	s.log.Warn("subscription replaced", keyReason, errStalled.Error(), keyPosition, s.position.String())
	s.in.abandon()
	in, err := open(s.soft, s.task, s.hand.to)
	if err != nil {
		return err
	}
	s.in = in
	return nil
}

// moving notes that the subscription delivers.
func (s *session) moving() {
	if s.stalls > 0 {
		s.stalls = 0
		s.board.stalled(0, false)
	}
}
