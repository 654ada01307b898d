//go:build unix

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// result holds the measurements of a pair, one for each round.
type result struct{ limit, ours []measurement }

func print(w io.Writer, pairs []pair, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "work\tours/s\tlimit/s\tratio\ttarget\tCPU s/M ours\tlimit\tMB ours\tlimit\tmore\t")
	for i, p := range pairs {
		if p.skip != "" {
			_, _ = fmt.Fprintf(t, "%s\tnot run: %s\t\t\t\t\t\t\t\t\t\n", p.name, p.skip)
			continue
		}
		row(t, p, results[i])
	}
	_ = t.Flush()
}

func row(w io.Writer, p pair, r result) {
	rate := func(m measurement) float64 { return m.EventsPerSec }
	cpu := func(m measurement) float64 { return m.CPU }
	mb := func(m measurement) float64 { return m.RSS }
	ours, limit := median(r.ours, rate), median(r.limit, rate)
	_, _ = fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%s\t%s\t%.2f\t%.2f\t%.0f\t%.0f\t%s\t\n", p.name, ours, limit, ratio(ours, limit), p.goal(),
		median(r.ours, cpu), median(r.limit, cpu), median(r.ours, mb), median(r.limit, mb), more(r))
}

// more tells what only some programs measure.
func more(r result) string {
	p50 := func(m measurement) float64 { return m.P50 }
	p99 := func(m measurement) float64 { return m.P99 }
	var parts []string
	if median(r.ours, p50) > 0 {
		parts = append(parts, fmt.Sprintf("p50 %.0f (%.0f) µs, p99 %.0f (%.0f) µs", median(r.ours, p50), median(r.limit, p50), median(r.ours, p99), median(r.limit, p99)))
	}
	if n := median(r.ours, func(m measurement) float64 { return m.Trips }); n > 0 {
		parts = append(parts, fmt.Sprintf("%.0f round trips after Dial, %.0f after a reconnect", n, median(r.ours, func(m measurement) float64 { return m.TripsAgain })))
	}
	if n := median(r.ours, func(m measurement) float64 { return m.Allocs }); n > 0 {
		parts = append(parts, fmt.Sprintf("%.2f allocs, %.0f B an event", n, median(r.ours, func(m measurement) float64 { return m.Bytes })))
	}
	if n := median(r.ours, func(m measurement) float64 { return m.Decoded }); n > 0 {
		parts = append(parts, fmt.Sprintf("each event decoded %.2f times", n))
	}
	return strings.Join(parts, "; ")
}

func median(ms []measurement, of func(measurement) float64) float64 {
	values := make([]float64, len(ms))
	for i, m := range ms {
		values[i] = of(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func ratio(ours, limit float64) string {
	if limit == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ours/limit)
}
