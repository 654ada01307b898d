package esnode

import "time"

// TimeSource gives the node the time and its timers: heartbeats, time-outs of persistent subscriptions, ages of events.
// Its methods may be called by several goroutines at once.
type TimeSource interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc calls f in its own goroutine once d has passed. The returned function cancels the call if it has not
	// begun, and reports whether it did.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// systemTime is the time of package time, which is virtual inside a testing/synctest bubble.
type systemTime struct{}

func (systemTime) Now() time.Time { return time.Now() }

func (systemTime) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}
