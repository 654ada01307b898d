package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Retention says how long parked events are kept. What goes is the oldest first; it is logged, counted in [Status], and
// counted as skipped, so that every event stays accounted for. Later events of its ordering key that wait behind it are kept as
// long as they themselves may be; once none is left, the key is handled again, as after a drop. The zero value keeps all.
type Retention struct {
	Age   time.Duration // since they were parked, by the clocks of database and process; 0 = any
	Count int           // of a projection; 0 = any, up to [WithMaxParked]
}

func (r Retention) validate() error {
	if r.Age < 0 || r.Count < 0 {
		return fmt.Errorf("%w: WithParkedRetention: %+v: must not be negative", ErrInvalidOption, r)
	}
	return nil
}

// Bounds of how often parked events are looked at that may be too old.
const (
	minExpireEvery = 100 * time.Millisecond
	maxExpireEvery = time.Minute
)

// expiry returns when to look for parked events that are too old, nil for never, and what ends that.
func (s *session) expiry() (<-chan time.Time, func()) {
	age := s.cfg.retention.Age
	if age == 0 || s.parking == nil {
		return nil, func() {}
	}
	t := time.NewTicker(min(max(age/20, minExpireEvery), maxExpireEvery))
	return t.C, t.Stop
}

// expires reports whether it is time to look for parked events that are not to be kept.
func (s *session) expires() bool {
	if s.overfull {
		return true
	}
	select {
	case <-s.expireAt:
		return true
	default:
		return false
	}
}

// crowd notes whether there may be parked events that are not to be kept.
func (s *session) crowd() {
	if most := int64(s.cfg.retention.Count); most > 0 && s.countParked() > most {
		s.overfull = true
	}
}

// expire drops the parked events that are not to be kept.
func (s *session) expire(ctx context.Context) error {
	s.overfull = false
	oldest, err := s.parking.Parked(ctx, nil, 0, 1)
	if err != nil {
		return fmt.Errorf("load the oldest parked event: %w", err)
	}
	if s.tooMany(oldest) == 0 {
		return nil
	}
	if err := s.standStill(ctx); err != nil {
		return err
	}
	for {
		rows, err := s.parking.Parked(ctx, nil, 0, parkedPage)
		if err != nil {
			return fmt.Errorf("load the oldest parked events: %w", err)
		}
		n := s.tooMany(rows)
		if err := s.forgetParked(ctx, rows[:n], "retention"); err != nil {
			return err
		}
		s.board.expired(int64(n))
		if n < parkedPage {
			break
		}
	}
	if s.held() {
		return s.halt(ctx, s.hold.doubt)
	}
	s.show()
	return nil
}

// tooMany returns how many of the oldest parked events are not to be kept.
func (s *session) tooMany(oldest []checkpoint.Parked) int {
	r := s.cfg.retention
	surplus := 0
	if r.Count > 0 {
		surplus = int(s.countParked()) - r.Count
	}
	n := 0
	for n < len(oldest) && (n < surplus || r.Age > 0 && time.Since(oldest[n].At) > r.Age) {
		n++
	}
	return n
}

// forgetParked drops parked events, and says so.
func (s *session) forgetParked(ctx context.Context, rows []checkpoint.Parked, why string) error {
	if len(rows) == 0 {
		return nil
	}
	numbers := make([]int64, len(rows))
	for i := range rows {
		numbers[i] = rows[i].Number
	}
	if err := s.update(ctx, checkpoint.Parking{Unpark: numbers, Skipped: int64(len(rows))}); err != nil {
		return err
	}
	for i := range rows {
		p := &rows[i]
		s.log.Warn("parked event dropped", keyReason, why, keyEventType, p.Type, keyStream, p.Stream, keyNumber, p.EventNo,
			keyOrderingKey, p.Key, keyErr, p.Error)
		s.unparked(p.Key, 1)
	}
	s.board.skipped(int64(len(rows)))
	return nil
}

// errNothingParked means that the events which should be parked are not.
var errNothingParked = errors.New("the parked events are gone; somebody else has changed them")
