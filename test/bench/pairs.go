//go:build unix

package main

import (
	"fmt"
	"os"
	"strconv"
)

// pair is the same work done by a stick and by us.
type pair struct {
	name   string
	limit  program
	ours   program
	target float64 // events/s of ours by those of the limit, at least
	cpu    float64 // CPU seconds of ours by those of the limit, at most; 0 = only reported
	skip   string  // why it cannot run
}

// program is one side of a pair: a command, against a server that is started for it.
type program struct {
	server string // "blaster", "node", "node-sync" or "" for none
	args   []string
	setup  [][]string // commands that run first and are not measured
	env    []string
}

// pairs lists the work, with n events each unless scaled.
func (b *bench) pairs() []pair {
	n := func(events int) string { return strconv.Itoa(max(int(float64(events)*b.scale), 1000)) }
	limit := func(args ...string) []string { return append([]string{b.bin("limit")}, args...) }
	rows := func(args ...string) []string { return append([]string{b.bin("rows")}, args...) }
	ours := func(args ...string) []string { return append([]string{b.self, "work"}, args...) }
	pairs := []pair{{
		name: "read", target: 0.8, cpu: 1.4,
		limit: program{server: "blaster", args: limit("read", "-n", n(1e6), "-page", "500", "-inflight", "4", "-decode", "2")},
		ours:  program{server: "blaster", args: ours("read", "-n", n(1e6))},
	}, {
		name: "catch-up", target: 0.7,
		limit: program{server: "blaster", args: limit("read", "-n", n(1e6), "-page", "500", "-inflight", "4", "-decode", "2")},
		ours:  program{server: "blaster", args: ours("catchup", "-n", n(1e6))},
	}}
	for _, inflight := range []string{"100", "400"} {
		append1 := []string{"append", "-n", n(2e5), "-inflight", inflight}
		pairs = append(pairs, pair{
			name: "append " + inflight + " in flight", target: 0.9,
			limit: program{server: "node", args: limit(append1...)},
			ours:  program{server: "node", args: ours(append1...)},
		}, pair{
			name: "append " + inflight + " in flight, coalesced", target: 0.6,
			limit: program{server: "node", args: limit(append(append1, "-coalesce")...)},
			ours:  program{server: "node", args: ours(append1...)},
		})
	}
	pairs = append(pairs, pair{
		name:  "live",
		limit: program{server: "node", args: limit("live", "-n", n(2e4))},
		ours:  program{server: "node", args: ours("live", "-n", n(2e4))},
	}, pair{
		name: "esnode serves pages", target: 0.7,
		limit: program{server: "blaster", args: limit("read", "-n", n(5e5), "-page", "500", "-inflight", "4")},
		ours: program{
			server: "node", args: limit("read", "-n", n(5e5), "-page", "500", "-inflight", "4"),
			setup: [][]string{limit("append", "-n", n(5e5), "-batch", "100", "-inflight", "10")},
		},
	}, pair{
		name: "table in sqlite", target: 0.8,
		limit: program{server: "blaster", args: rows("sqlite", "-n", n(1e6))},
		ours:  program{server: "blaster", args: ours("rows", "-n", n(1e6))},
	})
	dsn := os.Getenv("PROJECTOR_TEST_POSTGRES")
	table := pair{
		name: "table in postgres", target: 0.8,
		limit: program{server: "blaster", args: rows("upsert", "-n", n(1e6)), env: []string{"PGDSN=" + dsn}},
		ours:  program{server: "blaster", args: ours("rows", "-n", n(1e6), "-database", dsn)},
	}
	if dsn == "" {
		table.skip = "PROJECTOR_TEST_POSTGRES names no server"
	}
	return append(pairs, table)
}

func (p pair) goal() string {
	switch {
	case p.target == 0:
		return "–"
	case p.cpu == 0:
		return fmt.Sprintf("≥ %.1f", p.target)
	}
	return fmt.Sprintf("≥ %.1f, CPU ≤ %.1f", p.target, p.cpu)
}
