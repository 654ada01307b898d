//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// pair is the same work done by a stick and by us.
type pair struct {
	name   string
	limit  program // without args: there is nothing to compare with
	ours   program
	target float64 // events/s of ours by those of the limit, at least; 0 = only reported
	cpu    float64 // CPU seconds of ours by those of the limit, at most; 0 = only reported
	later  float64 // µs by which the median latency of ours may exceed that of the limit; 0 = only reported
	trips  float64 // round trips to the end of the first operation, at most; 0 = not counted
	memory float64 // MiB that ours may take; 0 = only reported
	skip   string  // why it cannot run
}

// program is one side of a pair: a command, against a server that is started for it.
type program struct {
	server     string // "blaster", "node", "node-disk", "node-sync" or "" for none
	serverArgs []string
	args       []string
	setup      [][]string // commands that run first and are not measured
	env        []string
}

func (p pair) goal() string {
	switch {
	case p.later > 0:
		return fmt.Sprintf("p50 ≤ limit + %.0f µs", p.later)
	case p.trips > 0:
		return fmt.Sprintf("≤ %.0f trips", p.trips)
	case p.memory > 0:
		return fmt.Sprintf("≤ %.0f MB", p.memory)
	case p.target == 0:
		return "–"
	case p.cpu == 0:
		return fmt.Sprintf("≥ %.1f", p.target)
	}
	return fmt.Sprintf("≥ %.1f, CPU ≤ %.1f", p.target, p.cpu)
}

// pairs lists the work.
func (b *bench) pairs() []pair {
	return slices.Concat(b.reads(), b.appends(), b.subscriptions(), b.tables(), b.runner(), b.node())
}

// n is a number of events, scaled.
func (b *bench) n(events float64) string { return strconv.Itoa(max(int(events*b.scale), 1000)) }

func (b *bench) stick(args ...string) []string { return append([]string{b.bin("limit")}, args...) }
func (b *bench) rows(args ...string) []string  { return append([]string{b.bin("rows")}, args...) }
func (b *bench) ours(args ...string) []string  { return append([]string{b.self, "work"}, args...) }

func (b *bench) reads() []pair {
	limit := program{server: "blaster", args: b.stick("read", "-n", b.n(1e6), "-page", "500", "-inflight", "4", "-decode", "2")}
	pairs := []pair{
		{name: "read", target: 0.8, cpu: 1.4, limit: limit, ours: program{server: "blaster", args: b.ours("read", "-n", b.n(1e6))}},
		{name: "catch-up", target: 0.7, limit: limit, ours: program{server: "blaster", args: b.ours("catchup", "-n", b.n(1e6))}},
	}
	for _, size := range []float64{1e4, 1e5, 1e7} { // flat: the length of a stream costs nothing
		more := []string{"-n", b.n(size)}
		pairs = append(pairs, pair{
			name: "catch-up " + b.n(size) + " by " + b.n(1e6), target: 0.9,
			limit: program{server: "blaster", args: b.ours("catchup", "-n", b.n(1e6))},
			ours:  program{server: "blaster", serverArgs: more, args: b.ours(append([]string{"catchup"}, more...)...)},
		})
	}
	return pairs
}

func (b *bench) appends() []pair {
	var pairs []pair
	for _, inflight := range []string{"100", "400"} {
		append1 := []string{"append", "-n", b.n(2e5), "-inflight", inflight}
		ours := program{server: "node", args: b.ours(append1...)}
		pairs = append(pairs, pair{
			name: "append " + inflight + " in flight", target: 0.9, ours: ours,
			limit: program{server: "node", args: b.stick(append1...)},
		}, pair{
			name: "append " + inflight + " in flight, coalesced", target: 0.6, ours: ours,
			limit: program{server: "node", args: b.stick(append(append1, "-coalesce")...)},
		})
	}
	return append(pairs, pair{
		name: "generator", target: 0.8,
		limit: program{server: "node", args: b.stick("append", "-n", b.n(1e6), "-batch", "100", "-inflight", "10")},
		ours:  program{server: "node", args: b.ours("appendfrom", "-n", b.n(1e6))},
	})
}

func (b *bench) subscriptions() []pair {
	group := [][]string{b.stick("append", "-n", b.n(2e5), "-batch", "100", "-inflight", "10"), b.stick("mkgroup")}
	return []pair{{
		name: "persistent 200 in flight", target: 0.8,
		limit: program{server: "node", setup: group, args: b.stick("psub", "-n", b.n(2e5), "-buf", "200", "-ackbatch", "100")},
		ours:  program{server: "node", setup: group, args: b.ours("persistent", "-n", b.n(2e5), "-inflight", "200")},
	}, {
		name: "live", later: 15,
		limit: program{server: "node", args: b.stick("live", "-n", b.n(2e4))},
		ours:  program{server: "node", args: b.ours("live", "-n", b.n(2e4))},
	}, {
		name: "first operation", trips: 3,
		ours: program{server: "node", args: b.ours("trips", "-n", "10000")},
	}, {
		name: "pushed at once, slow handler",
		ours: program{
			server: "blaster", serverArgs: []string{"-n", b.n(1e5), "-push", b.n(2e5)},
			args: b.ours("pushed", "-n", sum(b.n(1e5), b.n(2e5))),
		},
	}}
}

func sum(a, b string) string {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return strconv.Itoa(x + y)
}

func (b *bench) tables() []pair {
	n := []string{"-n", b.n(1e6)}
	dsn := os.Getenv("PROJECTOR_TEST_POSTGRES")
	onPostgres := func(name, mode, model string, target float64) pair {
		p := pair{
			name: name, target: target,
			limit: program{server: "blaster", serverArgs: n, args: b.rows(mode, "-n", b.n(1e6)), env: []string{"PGDSN=" + dsn}},
			ours:  program{server: "blaster", serverArgs: n, args: b.ours("rows", "-n", b.n(1e6), "-database", dsn, "-model", model)},
		}
		if dsn == "" {
			p.skip = "PROJECTOR_TEST_POSTGRES names no server"
		}
		return p
	}
	ours := program{server: "blaster", serverArgs: n, args: b.ours("rows", "-n", b.n(1e6))}
	naive := onPostgres("table in postgres by a transaction per event", "naive", "upsert", 0)
	naive.limit.args = b.rows("naive", "-n", b.n(2e4))
	return []pair{
		onPostgres("table in postgres", "upsert", "upsert", 0.8), naive,
		onPostgres("row per event in postgres", "insert", "insert", 0.7),
		{name: "table in sqlite", target: 0.8, limit: program{server: "blaster", serverArgs: n, args: b.rows("sqlite", "-n", b.n(1e6))}, ours: ours},
		{name: "yaml by go, sqlite", target: 0.7, limit: ours, ours: program{server: "blaster", serverArgs: n, args: b.ours("rows", "-n", b.n(1e6), "-model", "yaml")}},
	}
}

func (b *bench) runner() []pair {
	var pairs []pair
	for _, workers := range []int{1, 8, 64} {
		args := []string{"-n", b.n(2000 * float64(workers)), "-inflight", strconv.Itoa(workers)}
		pairs = append(pairs, pair{
			name: fmt.Sprintf("handlers that sleep, %d workers", workers), target: 0.9,
			limit: program{args: b.ours(append([]string{"sleepers"}, args...)...)},
			ours:  program{server: "blaster", serverArgs: args[:2], args: b.ours(append([]string{"handlers"}, args...)...)},
		})
	}
	cheap := func(projections string) program {
		n := []string{"-n", b.n(5e5)}
		return program{server: "blaster", serverArgs: n, args: b.ours(append([]string{"cheap", "-inflight", projections}, n...)...)}
	}
	many := []string{"-n", b.n(1e7)}
	return append(pairs, pair{name: "ten projections by one", target: 0.5, limit: cheap("1"), ours: cheap("10")}, pair{
		name: "memory of the binary, ten tables in sqlite", memory: 128, ours: program{
			server: "blaster", serverArgs: many,
			args: b.ours(append([]string{"binary", "-inflight", "10", "-program", b.bin("projector")}, many...)...),
		},
	})
}

func (b *bench) node() []pair {
	read := b.stick("read", "-n", b.n(1e6), "-page", "500", "-inflight", "4")
	history := [][]string{b.stick("append", "-n", b.n(1e6), "-batch", "100", "-inflight", "10"), read} // warm, as the limit is
	log := []string{"-n", b.n(1e6), "-dir", filepath.Join(b.dir, "log")}
	fill := [][]string{b.ours(append([]string{"fill"}, log...)...)}
	inflight := []string{"-n", b.n(2e5), "-inflight", "400"}
	return []pair{{
		name: "esnode serves pages", target: 0.7,
		limit: program{server: "blaster", args: read, setup: [][]string{read}},
		ours:  program{server: "node", args: read, setup: history},
	}, {
		name: "esnode serves pages from disk", target: 0.7,
		limit: program{server: "blaster", args: read, setup: [][]string{read}},
		ours:  program{server: "node-disk", args: read, setup: history},
	}, {
		name: "esnode appends with fsync, 400 in flight", target: 0.5,
		limit: program{args: b.ours(append([]string{"fsync"}, inflight...)...)},
		ours:  program{server: "node-sync", args: b.stick(append([]string{"append", "-coalesce"}, inflight...)...)},
	}, {
		name:  "esnode appends with fsync by without",
		limit: program{server: "node-disk", args: b.stick(append([]string{"append", "-coalesce"}, inflight...)...)},
		ours:  program{server: "node-sync", args: b.stick(append([]string{"append", "-coalesce"}, inflight...)...)},
	}, {
		name: "esnode opens its log", target: 0.2,
		limit: program{setup: fill, args: b.ours(append([]string{"scan"}, log...)...)},
		ours:  program{setup: fill, args: b.ours(append([]string{"open"}, log...)...)},
	}}
}
