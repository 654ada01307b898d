package prom

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/photonpump/projector/projector"
)

// Runner is what a [Collector] observes, a [projector.Runner].
type Runner interface {
	Status() []projector.Status
}

// Collector is a [prometheus.Collector] and a [projector.Hook]. It is safe for concurrent use.
type Collector struct {
	runner   atomic.Pointer[Runner]
	gauges   gauges
	duration *prometheus.HistogramVec
	handlers *prometheus.HistogramVec
	rows     *prometheus.CounterVec
	failures *prometheus.CounterVec
}

var (
	_ prometheus.Collector  = (*Collector)(nil)
	_ projector.CommitHook  = (*Collector)(nil)
	_ projector.HandlerHook = (*Collector)(nil)
	_ projector.FailureHook = (*Collector)(nil)
)

// New makes a collector, to be given to [projector.WithHooks] and to a registry.
func New() *Collector {
	return &Collector{
		gauges: newGauges(),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "projector_commit_duration_seconds", Help: "How long transactions took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"projection"}),
		handlers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "projector_handler_duration_seconds", Help: "How long calls of handlers took, those that failed too.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"projection", "event_type", "kind"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "projector_rows_written_total", Help: "Rows written and deleted.",
		}, []string{"projection"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "projector_failures_total", Help: "Failed attempts by class of error.",
		}, []string{"projection", "class"}),
	}
}

// Observe makes the collector report the status of a runner's projections. Until then it reports what hooks tell.
func (c *Collector) Observe(r Runner) { c.runner.Store(&r) }

// OnCommit implements [projector.CommitHook].
func (c *Collector) OnCommit(projection string, commit projector.Commit) {
	c.duration.WithLabelValues(projection).Observe(commit.Took.Seconds())
	c.rows.WithLabelValues(projection).Add(float64(commit.Rows))
}

// OnHandler implements [projector.HandlerHook].
func (c *Collector) OnHandler(projection string, call projector.Call) {
	eventType, kind := call.EventType, "on"
	if eventType == "" {
		eventType = "*"
	}
	if call.Tx {
		kind = "on_tx"
	}
	c.handlers.WithLabelValues(projection, eventType, kind).Observe(call.Took.Seconds())
}

// OnFailure implements [projector.FailureHook].
func (c *Collector) OnFailure(projection string, class projector.Class, _ error) {
	c.failures.WithLabelValues(projection, class.String()).Inc()
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	c.gauges.describe(ch)
	c.duration.Describe(ch)
	c.handlers.Describe(ch)
	c.rows.Describe(ch)
	c.failures.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	if r := c.runner.Load(); r != nil {
		for _, s := range (*r).Status() {
			c.gauges.collect(ch, &s)
		}
	}
	c.duration.Collect(ch)
	c.handlers.Collect(ch)
	c.rows.Collect(ch)
	c.failures.Collect(ch)
}
