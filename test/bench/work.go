//go:build unix

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// job is one piece of our work, in a process of its own.
type job struct {
	addr     string
	n        int
	stream   string
	inflight int
	database string
	model    string
	dir      string
	program  string
}

// work runs the job of that name and prints what it measured.
func work(name string, args []string) error {
	jobs := map[string]func(context.Context, *job) (measurement, error){
		"read": read, "catchup": catchUp, "pushed": pushed,
		"append": appendOne, "appendfrom": appendFrom, "live": live, "trips": trips, "persistent": persistent,
		"rows": rows, "binary": binary, "handlers": handlers, "sleepers": sleepers, "cheap": cheap,
		"node": node, "node-sync": nodeSync, "node-disk": nodeDisk, "fsync": fsync, "fill": fill, "open": openLog, "scan": scanLog,
	}
	run, ok := jobs[name]
	if !ok {
		return fmt.Errorf("there is no such work")
	}
	j := &job{stream: "bench-500k"}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&j.addr, "addr", "", "node")
	flags.IntVar(&j.n, "n", 1_000_000, "events")
	flags.IntVar(&j.inflight, "inflight", 100, "requests in flight")
	flags.StringVar(&j.database, "database", "", "Postgres URL; empty = SQLite")
	flags.StringVar(&j.model, "model", "upsert", "of rows: upsert, insert or yaml")
	flags.StringVar(&j.dir, "dir", "", "of a log")
	flags.StringVar(&j.program, "program", "", "the binary to be measured")
	profile := flags.String("cpuprofile", "", "file to write a CPU profile to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	m, err := run(ctx, j)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// url of the node, as the sticks use it.
func (j *job) url() string { return "tcp://admin:changeit@" + j.addr }

// meter measures from its start on.
type meter struct {
	began time.Time
	cpu   float64
	mem   runtime.MemStats
}

func startMeter() *meter {
	m := &meter{}
	runtime.ReadMemStats(&m.mem)
	m.cpu, m.began = cpuSeconds(), time.Now()
	return m
}

// stop returns what n events took.
func (m *meter) stop(n int) measurement {
	secs, cpu := time.Since(m.began).Seconds(), cpuSeconds()-m.cpu
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return measurement{
		EventsPerSec: float64(n) / secs,
		CPU:          cpu * 1e6 / float64(n),
		RSS:          peakMB(),
		Allocs:       float64(mem.Mallocs-m.mem.Mallocs) / float64(n),
		Bytes:        float64(mem.TotalAlloc-m.mem.TotalAlloc) / float64(n),
	}
}

// latencies adds percentiles.
func (m measurement) latencies(all []time.Duration) measurement {
	slices.Sort(all)
	m.P50 = float64(all[len(all)/2].Microseconds())
	m.P99 = float64(all[len(all)*99/100].Microseconds())
	return m
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u
}

func cpuSeconds() float64 {
	u := usage()
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMB is the most memory this process ever had, in MiB.
func peakMB() float64 {
	u := usage()
	return maxrssMB(&u)
}

// maxrssMB is the most memory that a process ever had, in MiB.
func maxrssMB(u *syscall.Rusage) float64 {
	unit := 1024.0 // Linux counts in KiB
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(u.Maxrss) * unit / (1 << 20)
}
