package projector

import (
	"errors"
	"fmt"
	"time"
)

// Outcome is an error with which a handler says what is to happen with its event, whatever the policy says. Handlers make
// one with [Skip], [Park], [RetryAfter], [Unavailable] or [Stop], and may wrap it.
type Outcome struct {
	kind  outcome
	delay time.Duration
	err   error
}

type outcome uint8

const (
	outcomeSkip outcome = iota
	outcomePark
	outcomeRetry
	outcomeUnavailable
	outcomeStop
)

func (o *Outcome) Error() string {
	name := [...]string{"skip", "park", "retry", "unavailable", "stop"}[o.kind]
	if o.err == nil {
		return name
	}
	return fmt.Sprintf("%s: %v", name, o.err)
}

// Unwrap returns the reason that was given.
func (o *Outcome) Unwrap() error { return o.err }

// Skip passes the event over; it is counted and logged. The reason may be nil.
func Skip(reason error) error { return &Outcome{kind: outcomeSkip, err: reason} }

// Park puts the event aside without another attempt, and with it all later events of its ordering key.
func Park(reason error) error { return &Outcome{kind: outcomePark, err: reason} }

// RetryAfter tries the event again after d. It counts as an attempt.
func RetryAfter(d time.Duration, reason error) error {
	return &Outcome{kind: outcomeRetry, delay: max(0, d), err: reason}
}

// Unavailable tells that what the handler depends on is not there. The projection pauses and tries the event again, for
// ever; no attempt is counted and nothing is parked.
func Unavailable(reason error) error { return &Outcome{kind: outcomeUnavailable, err: reason} }

// Stop stops the projection. It begins with the same event when it is started again.
func Stop(reason error) error { return &Outcome{kind: outcomeStop, err: reason} }

// outcomeOf returns the outcome in the chain of err, or nil.
func outcomeOf(err error) *Outcome {
	var o *Outcome
	if errors.As(err, &o) {
		return o
	}
	return nil
}
