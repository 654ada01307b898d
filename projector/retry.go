package projector

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Action is what happens with an event that cannot be handled.
type Action uint8

// The actions.
const (
	ActionStop Action = iota // the projection stops and says why
	ActionSkip               // the event is passed over, counted and logged
	ActionPark               // the event is put aside, and so are later ones of its ordering key; see [OrderBy]
)

func (a Action) String() string { return [...]string{"stop", "skip", "park"}[a] }

// RetryPolicy says how often a failing event is tried, and what happens then. Outages count no attempt: they are waited
// for, without end, with the same delays.
type RetryPolicy struct {
	Attempts int           // in all, at least 1
	Delay    time.Duration // before the second attempt, then growing by half with jitter
	MaxDelay time.Duration
	Then     Action // after the last attempt, and at once for a body that cannot be decoded
}

// DefaultRetryPolicy is 5 attempts with delays of 200ms up to 10s, then park.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{Attempts: 5, Delay: 200 * time.Millisecond, MaxDelay: 10 * time.Second, Then: ActionPark}
}

// Delays are those before the second attempt and each one after it. They are the means: each one varies by half, so that
// processes do not all try at once.
func (p RetryPolicy) Delays() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		delay := p.Delay
		for n := 1; n < p.Attempts && yield(delay); n++ {
			delay = min(delay+delay/2, p.MaxDelay)
		}
	}
}

// String is like "attempt 2 after 200ms, 3 after 300ms, then park".
func (p RetryPolicy) String() string {
	const shown = 10 // attempts
	var parts []string
	for delay := range p.Delays() {
		n := len(parts) + 2
		text := fmt.Sprintf("%d after %v", n, delay.Round(time.Millisecond))
		if n == 2 {
			text = "attempt " + text
		}
		parts = append(parts, text)
		if n > shown && n < p.Attempts {
			parts = append(parts, fmt.Sprintf("… %d in all", p.Attempts))
			break
		}
	}
	return strings.Join(append(parts, "then "+p.Then.String()), ", ")
}

func (p RetryPolicy) validate() error {
	var errs []error
	fail := func(field string, value any, want string) {
		errs = append(errs, fmt.Errorf("%w: WithRetry: %s: %v: must be %s", ErrInvalidOption, field, value, want))
	}
	if p.Attempts < 1 {
		fail("Attempts", p.Attempts, "at least 1")
	}
	if p.Delay <= 0 {
		fail("Delay", p.Delay, "positive")
	}
	if p.MaxDelay < p.Delay {
		fail("MaxDelay", p.MaxDelay, fmt.Sprintf("at least Delay (%v)", p.Delay))
	}
	if p.Then > ActionPark {
		fail("Then", uint8(p.Then), "an Action")
	}
	return errors.Join(errs...)
}

// delays returns a fresh sequence of delays.
func (p RetryPolicy) delays() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = p.Delay, p.MaxDelay
	return b
}
