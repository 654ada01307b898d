package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// ErrWaitsBehindParked means that everything in a projection with one ordering key waits behind an event that is parked, see
// [ParkProjection]. A projection that runs to the end of what there is now stops with it; others pause.
var ErrWaitsBehindParked = errors.New("everything waits behind a parked event")

// hold is a pause behind parked events.
type hold struct {
	head  checkpoint.Parked // without its data
	doubt bool              // whether it is the event that fails is not known: it may be something that all events need
	next  time.Time         // when it is tried again without being asked to; zero = not
}

// held reports whether nothing may be handled but what is parked. Events that were parked with the whole projection hold it
// also when it has other keys by now.
func (s *session) held() bool {
	return s.parked[WholeProjection] > 0 || s.whole && len(s.parked) > 0
}

// halt begins the pause, or goes on with it. In doubt, the event is tried again after a while: what it needs may be back.
func (s *session) halt(ctx context.Context, doubt bool) error {
	rows, err := s.parking.Parked(ctx, nil, 0, 1)
	if err != nil {
		return fmt.Errorf("load the first parked event: %w", err)
	}
	if len(rows) == 0 {
		return errNothingParked
	}
	s.hold = hold{head: rows[0], doubt: doubt}
	s.hold.head.Data, s.hold.head.Metadata = nil, nil
	if s.target != nil && !s.reached() {
		return s.holdError()
	}
	if doubt {
		s.hold.next = time.Now().Add(s.probes.NextBackOff())
	}
	s.log.Error("everything waits behind a parked event", keyEventType, rows[0].Type, keyStream, rows[0].Stream,
		keyNumber, rows[0].EventNo, keyReason, s.waiting())
	s.show()
	return nil
}

// waiting says what the projection waits for, and what ends that.
func (s *session) waiting() string {
	p := &s.hold.head
	e := eventOf(p)
	text := fmt.Sprintf("everything waits behind %s, parked as number %d", describe(&e), p.Number)
	if p.Class != "" {
		text += fmt.Sprintf(" after %s: %s", attempts(p.Attempts), p.Error)
	}
	if !s.hold.next.IsZero() {
		delay := time.Until(s.hold.next).Round(time.Millisecond)
		return fmt.Sprintf("%s; next attempt in %v, or pass it over with `projector parked drop %s`", text, delay, s.p.name)
	}
	return fmt.Sprintf("%s; go on with `projector parked retry %s`, or `drop` to pass it over", text, s.p.name)
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// holdError is why a projection ends that was to reach the end of what there is, and cannot.
func (s *session) holdError() error {
	p := &s.hold.head
	e := eventOf(p)
	class := ClassHandler
	if p.Class == ClassDecode.String() {
		class = ClassDecode
	}
	return &StoppedError{
		Projection: s.p.name, Event: &e, Class: class, Attempts: p.Attempts,
		Err: fmt.Errorf("%w: number %d: %s; go on with `projector parked retry %s`, or `drop` to pass it over",
			ErrWaitsBehindParked, p.Number, p.Error, s.p.name),
	}
}

// wake begins with a pause if the last owner has left one. An event that has failed in a handler is tried once more: the
// handler may have been mended, or what it needs may be back.
func (s *session) wake(ctx context.Context) error {
	if !s.held() {
		s.show()
		return nil
	}
	rows, err := s.parking.Parked(ctx, nil, 0, 1)
	if err != nil {
		return fmt.Errorf("load the first parked event: %w", err)
	}
	if len(rows) == 1 && rows[0].Class == ClassHandler.String() {
		return s.tryHeld(ctx, &rows[0])
	}
	return s.halt(ctx, false)
}

// tryHeld tries the first of the parked events that everything waits for.
func (s *session) tryHeld(ctx context.Context, row *checkpoint.Parked) error {
	still := (*stillParked)(nil)
	err := s.again(ctx, row)
	switch {
	case errors.As(err, &still):
		return s.halt(ctx, still.doubt)
	case err != nil:
		return err
	case s.held():
		return s.halt(ctx, false)
	}
	s.show()
	return nil
}

// await is one turn of a projection that waits behind a parked event.
func (s *session) await(ctx context.Context) error {
	var next <-chan time.Time
	if at := s.hold.next; !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		next = t.C
	}
	select {
	case commands := <-s.keeper.commands:
		return s.execute(ctx, commands)
	case <-s.expireAt:
		s.overfull = true
	case <-next:
		rows, err := s.parking.Parked(ctx, nil, 0, 1)
		if err != nil || len(rows) == 0 {
			return err
		}
		return s.tryHeld(ctx, &rows[0])
	case <-s.soft.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
