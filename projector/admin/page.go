package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/photonpump/projector/projector"
)

// page is what the template shows.
type page struct {
	About       [][2]string
	Projections []card
}

// card is one projection in words.
type card struct {
	Name, Source       string
	State, Reason      string
	For                string // how long the state has lasted
	Position, Head     string
	Resumed            string
	Lag                string
	Handled, Ignored   int64
	Skipped, Parked    int64
	ParkedKeys         int
	Epoch              int64
	Shards             string // empty = it is not divided
	Commit, Failure    string
	Healthy, InTrouble bool
}

func newPage(projections []projector.Status, about [][2]string) page {
	p := page{About: about}
	for _, s := range projections {
		p.Projections = append(p.Projections, newCard(&s))
	}
	return p
}

func newCard(s *projector.Status) card {
	c := card{
		Name: s.Name, Source: s.Source, State: string(s.State), Reason: s.Reason, For: since(s.Since),
		Position: s.Position.String(), Head: s.Head.String(), Resumed: s.Resumed.String(), Lag: lag(s),
		Handled: s.Handled, Ignored: s.Ignored, Skipped: s.Skipped, Parked: s.Parked, ParkedKeys: s.ParkedKeys, Epoch: s.Epoch, Commit: "none yet",
		Healthy: s.State == projector.StateLive || s.State == projector.StateStandby,
		InTrouble: s.State == projector.StateRetrying || s.State == projector.StatePaused ||
			s.State == projector.StateStopped && s.Reason != "" || s.Stalled,
	}
	if s.Shards > 1 {
		c.Shards = fmt.Sprintf("%d of %d shards here", s.ShardsHere, s.Shards)
	}
	if !s.LastCommit.IsZero() {
		c.Commit = since(s.LastCommit) + " ago"
	}
	if s.LastError != nil && !strings.Contains(s.Reason, s.LastError.Error()) {
		c.Failure = s.LastError.Error()
	}
	return c
}

func lag(s *projector.Status) string {
	switch {
	case s.LagEvents < 0 && s.Lag < 0:
		return "not known"
	case s.LagEvents < 0:
		return s.Lag.Round(time.Millisecond).String()
	case s.LagEvents == 0:
		return "none"
	}
	text := fmt.Sprintf("%d events", s.LagEvents)
	if s.LagEvents == 1 {
		text = "1 event"
	}
	if s.Lag > 0 {
		text += ", " + s.Lag.Round(time.Millisecond).String()
	}
	return text
}

func since(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return time.Since(t).Round(time.Second).String()
}
