package progress

import (
	"fmt"
	"strconv"
	"time"
)

const window = 5 * time.Second // over which rates are measured

// Meter measures how fast a task goes. It is used by one goroutine at a time.
type Meter struct {
	samples []sample // of the last window, oldest first
}

type sample struct {
	at       time.Time
	done     int64
	fraction float64
}

// Add tells how much is done at a time: a number of things, and the fraction of the whole from 0 to 1, negative if it is
// not known.
func (m *Meter) Add(at time.Time, done int64, fraction float64) {
	m.samples = append(m.samples, sample{at, done, fraction})
	for len(m.samples) > 2 && at.Sub(m.samples[0].at) > window {
		m.samples = m.samples[1:]
	}
}

// Rate is how many things were done a second lately, 0 if it is not known yet.
func (m *Meter) Rate() float64 {
	first, last, ok := m.ends()
	if !ok {
		return 0
	}
	return float64(last.done-first.done) / last.at.Sub(first.at).Seconds()
}

// ETA is how long the rest will take at the rate of lately; ok is false if that is not known.
func (m *Meter) ETA() (d time.Duration, ok bool) {
	first, last, ok := m.ends()
	if !ok || first.fraction < 0 || last.fraction <= first.fraction {
		return 0, false
	}
	speed := (last.fraction - first.fraction) / last.at.Sub(first.at).Seconds()
	return time.Duration((1 - min(1, last.fraction)) / speed * float64(time.Second)), true
}

func (m *Meter) ends() (first, last sample, ok bool) {
	if len(m.samples) < 2 {
		return first, last, false
	}
	first, last = m.samples[0], m.samples[len(m.samples)-1]
	return first, last, last.at.After(first.at)
}

// String is like "6,100 events (61%), 45,210/s, ETA 3s", without what is not known.
func (m *Meter) String() string {
	if len(m.samples) == 0 {
		return ""
	}
	last := m.samples[len(m.samples)-1]
	s := Count(last.done) + " events"
	if last.fraction >= 0 {
		s += fmt.Sprintf(" (%.0f%%)", 100*min(1, last.fraction))
	}
	if r := m.Rate(); r > 0 {
		s += fmt.Sprintf(", %s/s", Count(int64(r)))
	}
	if eta, ok := m.ETA(); ok {
		s += ", ETA " + max(eta, time.Second).Round(time.Second).String()
	}
	return s
}

// Count writes a number with commas between thousands.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Duration writes how long something took, with about three digits.
func Duration(d time.Duration) string {
	switch {
	case d >= 100*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// Age writes how long ago something was, with its two largest units at most.
func Age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 10*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}
