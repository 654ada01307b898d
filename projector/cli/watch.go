package cli

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

// watch makes the progress line out of what the runner reports.
type watch struct {
	*service
	begin time.Time
	lived sync.Once // everything was live for the first time

	meter progress.Meter // of text
}

// OnState implements [projector.StateHook].
func (w *watch) OnState(string, projector.State, string) {
	all := w.runner.Status()
	if w.once || !isLive(all) {
		return
	}
	w.lived.Do(func() {
		if standsBy(all) {
			w.notef("standing by: other processes own all projections; Ctrl-C ends\n")
			return
		}
		w.notef("live after %s; Ctrl-C ends\n", progress.Duration(time.Since(w.begin)))
	})
}

// standsBy reports whether other processes own all projections.
func standsBy(all []projector.Status) bool {
	return !slices.ContainsFunc(all, func(s projector.Status) bool { return s.State != projector.StateStandby })
}

// isLive reports whether there is nothing left to catch up with, here.
func isLive(all []projector.Status) bool {
	return !slices.ContainsFunc(all, func(s projector.Status) bool {
		return s.State != projector.StateLive && s.State != projector.StateStandby
	})
}

// text is called by one goroutine at a time.
func (w *watch) text() string {
	all := w.runner.Status()
	var done int64
	for i := range all {
		done += all[i].Handled + all[i].Ignored + all[i].Skipped
	}
	w.meter.Add(time.Now(), done, fraction(all))
	text := "running: " + w.meter.String()
	if standsBy(all) {
		return "standing by" + troubled(all)
	}
	if isLive(all) {
		text = "live: " + plural(done, "event")
		if r := int64(w.meter.Rate()); r > 0 {
			text += fmt.Sprintf(", %s/s", progress.Count(r))
		}
	}
	if !w.line.Live() {
		return text + troubled(all) // the log says why
	}
	return text + trouble(all)
}

// troubled names the projections that do not do what they should, as "; ponies paused".
func troubled(all []projector.Status) string {
	var b strings.Builder
	for i := range all {
		switch s := &all[i]; s.State {
		case projector.StateRetrying, projector.StatePaused, projector.StateStandby, projector.StateStopped:
			if s.State != projector.StateStopped || s.Reason != "" {
				fmt.Fprintf(&b, "; %s %s", s.Name, s.State)
			}
		}
	}
	return b.String()
}

// trouble says what is wrong with the projections that do not do what they should.
func trouble(all []projector.Status) string {
	var b strings.Builder
	for i := range all {
		switch s := &all[i]; s.State {
		case projector.StateRetrying, projector.StatePaused, projector.StateStandby:
			fmt.Fprintf(&b, "; %s %s: %s", s.Name, s.State, s.Reason)
		case projector.StateStopped:
			if s.Reason != "" {
				fmt.Fprintf(&b, "; %s stopped", s.Name)
			}
		}
	}
	return b.String()
}

// fraction is how much of the way all projections have gone, on average; -1 if that is not known of any of them.
func fraction(all []projector.Status) float64 {
	sum, known := 0.0, 0
	for i := range all {
		if f, ok := fractionOf(&all[i]); ok {
			sum += f
			known++
		}
	}
	if known == 0 {
		return -1
	}
	return sum / float64(known)
}

func fractionOf(s *projector.Status) (f float64, ok bool) {
	if order, ok := s.Position.Compare(s.Head); ok && order >= 0 && !s.Head.IsStart() {
		return 1, true
	}
	if s.LagEvents >= 0 {
		done := float64(s.Handled + s.Ignored + s.Skipped)
		all := done + float64(s.LagEvents)
		return done / max(1, all), true
	}
	head, ok := offset(s.Head)
	from, ok2 := offset(s.Resumed)
	at, ok3 := offset(s.Position)
	if !ok || !ok2 || !ok3 || head <= from {
		return 0, false
	}
	return (at - from) / (head - from), true
}

// offset is a position of the log as a number that grows evenly with it.
func offset(p checkpoint.Position) (float64, bool) {
	commit, _, ok := p.Log()
	return float64(commit), ok || p.IsStart()
}
