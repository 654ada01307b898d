package prom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

// gauges are read from the status at the time of a scrape.
type gauges struct {
	state, events, lagEvents, lagSeconds, position, head, epoch, lastCommit, parked, dropped, restarts, shards *prometheus.Desc
}

func newGauges() gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("projector_"+name, help, append([]string{"projection"}, labels...), nil)
	}
	return gauges{
		state:      desc("state", "1 for the state that holds, 0 for the others.", "state"),
		events:     desc("events_total", "Events committed by this process.", "result"),
		lagEvents:  desc("lag_events", "Events between the position and the head of the source."),
		lagSeconds: desc("lag_seconds", "Age of the oldest event that is not committed yet."),
		position:   desc("position", "Last committed event number or commit position."),
		head:       desc("head_position", "Event number or commit position of the last event of the source, as last seen."),
		epoch:      desc("epoch", "Epoch of the lease; 0 if this process does not own the projection."),
		parked:     desc("parked_events", "Events put aside because they, or earlier ones of their key, could not be handled."),
		dropped:    desc("parked_dropped_total", "Parked events dropped, for what reason.", "reason"),
		restarts:   desc("subscription_restarts_total", "Subscriptions replaced because they delivered nothing although the log went on."),
		shards:     desc("shards_owned", "Shards of a projection that is divided which this process owns. All else is said of these together: sums, and the worst of state and lag."),
		lastCommit: desc("last_commit_timestamp_seconds", "When this process last committed."),
	}
}

func (g *gauges) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		g.state, g.events, g.lagEvents, g.lagSeconds, g.position, g.head, g.epoch, g.lastCommit, g.parked, g.dropped, g.restarts, g.shards,
	} {
		ch <- d
	}
}

func (g *gauges) collect(ch chan<- prometheus.Metric, s *projector.Status) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.Name}, labels...)...)
	}
	counter := func(d *prometheus.Desc, n int64, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), s.Name, label)
	}
	for _, state := range projector.States() {
		holds := 0.0
		if state == s.State {
			holds = 1
		}
		gauge(g.state, holds, string(state))
	}
	if s.Shards > 1 {
		gauge(g.shards, float64(s.ShardsHere))
	}
	counter(g.events, s.Handled, "handled")
	counter(g.events, s.Ignored, "ignored")
	counter(g.events, s.Skipped, "skipped")
	counter(g.dropped, s.Dropped, "command")
	counter(g.dropped, s.Expired, "retention")
	ch <- prometheus.MustNewConstMetric(g.restarts, prometheus.CounterValue, float64(s.Restarts), s.Name)
	gauge(g.epoch, float64(s.Epoch))
	if s.Epoch > 0 {
		gauge(g.parked, float64(s.Parked))
	}
	if s.LagEvents >= 0 {
		gauge(g.lagEvents, float64(s.LagEvents))
	}
	if lag := s.LagSeconds(); lag >= 0 {
		gauge(g.lagSeconds, lag)
	}
	if n, ok := single(s.Position); ok {
		gauge(g.position, n)
	}
	if n, ok := single(s.Head); ok {
		gauge(g.head, n)
	}
	if !s.LastCommit.IsZero() {
		gauge(g.lastCommit, float64(s.LastCommit.UnixMilli())/1000)
	}
}

// single is the position as one number; a vector has none.
func single(p checkpoint.Position) (float64, bool) {
	if n, ok := p.Number(); ok {
		return float64(n), true
	}
	commit, _, ok := p.Log()
	return float64(commit), ok
}
