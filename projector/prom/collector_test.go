package prom_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/prom"
)

type runner []projector.Status

func (r runner) Status() []projector.Status { return r }

func TestCollector(t *testing.T) {
	t.Parallel()
	c := prom.New()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	c.OnCommit("ponies", projector.Commit{Rows: 3, Took: time.Millisecond})
	c.OnHandler("ponies", projector.Call{EventType: "pony.born", Took: time.Millisecond})
	c.OnHandler("ponies", projector.Call{Tx: true, Took: 2 * time.Second, Err: errors.New("boom")})
	c.OnFailure("ponies", projector.ClassHandler, errors.New("boom"))
	c.Observe(runner{
		{
			Name: "ponies", State: projector.StateLive, Epoch: 2, Handled: 10, Ignored: 4, Skipped: 1, Parked: 7, Restarts: 2, Dropped: 3, Expired: 5,
			Position: checkpoint.AtNumber(14), Head: checkpoint.AtNumber(15), LagEvents: 1, Lag: 1500 * time.Millisecond,
			LastCommit: time.UnixMilli(1_700_000_000_500),
		},
		{Name: "unknown", State: projector.StateStarting, LagEvents: -1, Lag: -1},
	})
	want := `
# HELP projector_events_total Events committed by this process.
# TYPE projector_events_total counter
projector_events_total{projection="ponies",result="handled"} 10
projector_events_total{projection="ponies",result="ignored"} 4
projector_events_total{projection="ponies",result="skipped"} 1
projector_events_total{projection="unknown",result="handled"} 0
projector_events_total{projection="unknown",result="ignored"} 0
projector_events_total{projection="unknown",result="skipped"} 0
# HELP projector_failures_total Failed attempts by class of error.
# TYPE projector_failures_total counter
projector_failures_total{class="handler",projection="ponies"} 1
# HELP projector_head_position Event number or commit position of the last event of the source, as last seen.
# TYPE projector_head_position gauge
projector_head_position{projection="ponies"} 15
# HELP projector_lag_events Events between the position and the head of the source.
# TYPE projector_lag_events gauge
projector_lag_events{projection="ponies"} 1
# HELP projector_lag_seconds Age of the oldest event that is not committed yet.
# TYPE projector_lag_seconds gauge
projector_lag_seconds{projection="ponies"} 1.5
# HELP projector_last_commit_timestamp_seconds When this process last committed.
# TYPE projector_last_commit_timestamp_seconds gauge
projector_last_commit_timestamp_seconds{projection="ponies"} 1.7000000005e+09
# HELP projector_parked_events Events put aside because they, or earlier ones of their key, could not be handled.
# TYPE projector_parked_events gauge
projector_parked_events{projection="ponies"} 7
# HELP projector_parked_dropped_total Parked events dropped, for what reason.
# TYPE projector_parked_dropped_total counter
projector_parked_dropped_total{projection="ponies",reason="command"} 3
projector_parked_dropped_total{projection="ponies",reason="retention"} 5
projector_parked_dropped_total{projection="unknown",reason="command"} 0
projector_parked_dropped_total{projection="unknown",reason="retention"} 0
# HELP projector_position Last committed event number or commit position.
# TYPE projector_position gauge
projector_position{projection="ponies"} 14
# HELP projector_rows_written_total Rows written and deleted.
# TYPE projector_rows_written_total counter
projector_rows_written_total{projection="ponies"} 3
# HELP projector_subscription_restarts_total Subscriptions replaced because they delivered nothing although the log went on.
# TYPE projector_subscription_restarts_total counter
projector_subscription_restarts_total{projection="ponies"} 2
projector_subscription_restarts_total{projection="unknown"} 0
`
	names := []string{
		"projector_events_total", "projector_failures_total", "projector_head_position", "projector_lag_events",
		"projector_lag_seconds", "projector_last_commit_timestamp_seconds", "projector_position",
		"projector_rows_written_total", "projector_parked_events", "projector_parked_dropped_total", "projector_subscription_restarts_total",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	// One series for each state and projection, and exactly one of them holds.
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series, holds := 0, 0.0
	for _, f := range families {
		if f.GetName() == "projector_state" {
			for _, m := range f.GetMetric() {
				series++
				holds += m.GetGauge().GetValue()
			}
		}
	}
	if want := 2 * len(projector.States()); series != want || holds != 2 {
		t.Errorf("projector_state has %d series of which %v hold, want %d and 2", series, holds, want)
	}
}
