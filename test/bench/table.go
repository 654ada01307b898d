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
type result struct {
	limit, ours []measurement
	err         error // what ended a round of it; there are no more then
}

// header names the columns.
func header() []string {
	return []string{"work", "ours/s", "limit/s", "ratio", "target", "CPU s/M ours", "limit", "MB ours", "limit", "more"}
}

func print(w io.Writer, pairs []pair, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, strings.Join(header(), "\t")+"\t")
	for i, p := range pairs {
		_, _ = fmt.Fprintln(t, strings.Join(row(p, results[i]), "\t")+"\t")
	}
	_ = t.Flush()
}

// printMarkdown is print for documents.
func printMarkdown(w io.Writer, pairs []pair, results []result) {
	_, _ = fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(header(), " | "), strings.Repeat("---|", len(header())))
	for i, p := range pairs {
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(row(p, results[i]), " | "))
	}
}

func row(p pair, r result) []string {
	why := ""
	switch {
	case p.skip != "":
		why = "not run: " + p.skip
	case r.err != nil:
		why = "failed, see below"
	}
	if why != "" {
		cells := make([]string, len(header()))
		cells[0], cells[len(cells)-1] = p.name, why
		return cells
	}
	rate := func(m measurement) float64 { return m.EventsPerSec }
	cpu := func(m measurement) float64 { return m.CPU }
	mb := func(m measurement) float64 { return m.RSS }
	ours, limit := median(r.ours, rate), median(r.limit, rate)
	return []string{
		p.name, number("%.0f", ours), number("%.0f", limit), ratio(ours, limit), p.goal(),
		number("%.2f", median(r.ours, cpu)), number("%.2f", median(r.limit, cpu)), number("%.0f", median(r.ours, mb)), number("%.0f", median(r.limit, mb)),
		more(r),
	}
}

// number is empty for what was not measured.
func number(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
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
