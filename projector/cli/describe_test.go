package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestDescribeRun(t *testing.T) {
	t.Parallel()
	at := checkpoint.AtNumber
	for want, s := range map[string]projector.Status{
		"p: started from the beginning, 1 event handled, now at 0":   {Position: at(0), Handled: 1},
		"p: started from the beginning, 0 events handled":            {},
		"p: stopped, no event handled":                               {State: projector.StateStopped, Reason: "why"},
		"p: resumed after 41, nothing new, no event handled twice":   {Resumed: at(41), Position: at(41)},
		"p: resumed after 41, 2,000 new events handled, now at 2041": {Resumed: at(41), Position: at(2041), Handled: 2000},
		"p: resumed after 41, 0 new events handled, 7 ignored (no rule for their types), now at 48": {
			Resumed: at(41), Position: at(48), Ignored: 7,
		},
		"p: resumed after 41, 1 new event handled, 1 skipped after errors, now at 43, stopped": {
			Resumed: at(41), Position: at(43), Handled: 1, Skipped: 1, State: projector.StateStopped, Reason: "why",
		},
	} {
		s.Name = "p"
		if got := describeRun(&s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestFraction(t *testing.T) {
	t.Parallel()
	log := func(n int64) checkpoint.Position { return checkpoint.AtLog(n, n) }
	for name, tt := range map[string]struct {
		all  []projector.Status
		want float64
	}{
		"nothing known": {[]projector.Status{{LagEvents: -1}}, -1},
		"by events":     {[]projector.Status{{Handled: 20, Ignored: 5, LagEvents: 75}}, 0.25},
		"by offset":     {[]projector.Status{{Resumed: log(1000), Position: log(1250), Head: log(2000), LagEvents: -1}}, 0.25},
		"by offset from the start": {
			[]projector.Status{{Position: log(1000), Head: log(2000), LagEvents: -1}}, 0.5,
		},
		"at the head": {[]projector.Status{{Position: log(2), Head: log(2), LagEvents: -1}}, 1},
		"average": {
			[]projector.Status{{Handled: 50, LagEvents: 50}, {LagEvents: -1}, {Position: log(2), Head: log(2), LagEvents: -1}}, 0.75,
		},
	} {
		if got := fraction(tt.all); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	all := []projector.Status{
		{Name: "a", State: projector.StateLive},
		{Name: "b", State: projector.StatePaused, Reason: "no database"},
		{Name: "c", State: projector.StateStopped},
		{Name: "d", State: projector.StateStopped, Reason: "why"},
		{Name: "e", State: projector.StateStandby, Reason: "owned by x"},
	}
	got := trouble(all)
	if want := "; b paused: no database; d stopped; e standby: owned by x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := troubled(all), "; b paused; d stopped; e standby"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestStatusLines(t *testing.T) {
	t.Parallel()
	now := time.Now()
	got := statusLines([]*projector.Projection{projector.New("new", eventstore.Stream(nil, "s")), projector.New("dead", eventstore.Stream(nil, "s")), projector.New("mine", eventstore.Stream(nil, "s"))},
		[]checkpoint.Status{
			{Name: "dead", State: "catching-up", Owner: "gone", Position: checkpoint.AtNumber(3), Updated: now},
			{Name: "left", State: "stopped", Reason: "why", Owner: "gone", Updated: now},
			{Name: "reset", Updated: now},
			{Name: "mine", State: "live", Owner: "host/1", Held: true, Handled: 5, Ignored: 2, Epoch: 4, Updated: now},
		})
	want := []statusLine{
		{Name: "new", State: "never run", Position: "start"},
		{Name: "dead", State: "no owner", Reason: "last was catching-up", Position: "3", Updated: &now},
		{Name: "mine", State: "live", Owner: "host/1", Epoch: 4, Position: "start", Handled: 5, Ignored: 2, Updated: &now},
		{Name: "left", State: "stopped", Reason: "why; not defined here", Position: "start", Updated: &now},
		{Name: "reset", State: "no owner", Reason: "not defined here", Position: "start", Updated: &now},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(statusLine{})); diff != "" {
		t.Error(diff)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://u:secret@h:5432/db?sslpassword=secret": "postgres://h:5432/db",
		"tcp://admin:changeit@127.0.0.1:1113":              "tcp://127.0.0.1:1113",
		"discover://u:secret@a:2113,b:2113":                "discover://a:2113,b:2113",
		"sqlite://data/projector.db":                       "sqlite://data/projector.db",
		"host=h password=secret":                           "(no valid URL)",
		"postgres://u:sec%ret@h/db":                        "(no valid URL)",
	} {
		if got := redact(url); got != want {
			t.Errorf("redact(%q) = %q, want %q", url, got, want)
		}
	}
}
