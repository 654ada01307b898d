package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/projector/cli/internal/measure"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/cli/internal/table"
	"github.com/photonpump/projector/projector/config"
)

const benchLong = `Measures how fast your own event store, database and projector.yaml are, from this machine, and prints one table.

  read      the events that a projection reads, from the first one on, and nothing done with them
  catch-up  the same with the rows built and committed, as run does it
  append    one event after the other, many on their way at once (only with --append)
  live      from the append of an event until a subscription has it (only with --live)

The rows go into tables that are made for this and removed in the end: in a schema projector_bench_… of the PostgreSQL
database, in a file beside the SQLite database. The tables of run are not touched, nor are its positions, and run may go on
meanwhile. Only the projections of the file are measured, since those of a program may have effects.

Without --append and --live nothing is written to the event store. With them, events of the type projector.bench go to a
stream projector-bench-… that is deleted softly in the end. Whoever reads all streams gets to see them, and the log keeps
them until it is scavenged.

CPU and memory are those of this process: of the database they are not counted, unless it is SQLite; the embedded event store
is, if it runs in this process. Memory is what the Go runtime holds, at its highest.`

type benchFlags struct {
	events int64
	append int64
	live   int64
	only   []string
	json   bool
}

const (
	defaultBenchEvents = 1_000_000
	benchInFlight      = 100 // appends on their way
)

func newBench(e *env) *cobra.Command {
	var f benchFlags
	c := e.command(&cobra.Command{
		Use: "bench", Short: "Measure how fast event store, database and projections are, with rows that are thrown away", Long: benchLong,
		Example: "  projector bench\n  projector bench --only ponies --events 0\n  projector bench --append 20000 --live 1000 --json",
	}, func(ctx context.Context, _ []string) error { return e.bench(ctx, f) })
	c.Flags().Int64Var(&f.events, "events", defaultBenchEvents, "read about `N` events for each projection; 0 is all there are")
	c.Flags().StringSliceVar(&f.only, "only", nil, "`names` of projections, separated by commas; all if none are given")
	c.Flags().Int64Var(&f.append, "append", 0, "append `N` events to the event store; 0 writes none")
	c.Flags().Int64Var(&f.live, "live", 0, "append `N` events one at a time and wait for each to come back; 0 writes none")
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON array")
	completeFlag(c, "only", e.completeProjection)
	return c
}

// benchResult is one line of the table, as `bench --json` prints it.
type benchResult struct {
	Work        string  `json:"work"`                 // read, catch-up, append, live
	Projection  string  `json:"projection,omitempty"` // of read and catch-up
	Events      int64   `json:"events"`
	Parked      int64   `json:"parked,omitempty"` // of them, which failed
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"events_per_second"`
	CPU         float64 `json:"cpu_seconds_per_million"`
	Memory      uint64  `json:"peak_memory_bytes"`
	P50         float64 `json:"p50_us,omitempty"` // of live: latency in microseconds
	P99         float64 `json:"p99_us,omitempty"`
	description string
}

func (e *env) bench(ctx context.Context, f benchFlags) error {
	if f.events < 0 || f.append < 0 || f.live < 0 {
		return usage(errors.New("--events, --append and --live must not be negative"))
	}
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	if err := f.check(cfg); err != nil {
		return err
	}
	es, err := e.openEventStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // what counts is acknowledged
	e.notef("event store: %s\n", es.about)
	e.notef("database:    %s, in tables that are thrown away\n", describeDatabase(cfg))
	results, err := e.measureAll(ctx, &benchmark{env: e, cfg: cfg, es: es, flags: f})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	return errors.Join(e.printBench(results, f.json), err)
}

// check says what is wrong with --only.
func (f *benchFlags) check(cfg *config.Config) error {
	var names []string
	for _, p := range cfg.Projections {
		names = append(names, p.Name)
	}
	for _, name := range f.only {
		if !slices.Contains(names, name) {
			return usage(fmt.Errorf("--only: there is no projection %q in the file; there are %s", name, strings.Join(names, ", ")))
		}
	}
	if len(names) == 0 && f.append == 0 && f.live == 0 {
		return usage(errors.New("the file describes no projections, and neither --append nor --live is given: there is nothing to measure"))
	}
	return nil
}

// measureAll returns what was measured up to the first error.
func (e *env) measureAll(ctx context.Context, b *benchmark) (results []benchResult, err error) {
	for _, w := range b.works() {
		stop := e.line.Follow(func() string { return "measuring: " + w.name })
		r, err := w.run(ctx)
		stop()
		if err != nil {
			return results, fmt.Errorf("%s: %w", w.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// cost fills in what a meter has measured.
func (r *benchResult) cost(c measure.Cost) {
	r.Seconds = c.Elapsed.Seconds()
	r.Memory = c.Memory
	if r.Events > 0 {
		r.PerSecond = float64(r.Events) / c.Elapsed.Seconds()
		r.CPU = c.CPU.Seconds() * 1e6 / float64(r.Events)
	}
}

func (e *env) printBench(results []benchResult, asJSON bool) error {
	if asJSON {
		if results == nil {
			results = []benchResult{}
		}
		b, err := json.MarshalIndent(results, "", "  ")
		if err != nil {
			return err
		}
		e.printf("%s\n", b)
		return nil
	}
	if len(results) == 0 {
		return nil
	}
	header := table.Text("WORK", "EVENTS", "EVENTS/S", "CPU S/MILLION", "PEAK MIB")
	if slices.ContainsFunc(results, func(r benchResult) bool { return r.P50 > 0 }) {
		header = append(header, table.Text("P50", "P99")...)
	}
	lines := [][]table.Cell{header}
	for i := range results {
		lines = append(lines, results[i].cells())
	}
	e.line.Clear()
	if err := table.Print(e.stdout, lines); err != nil {
		return err
	}
	for i := range results {
		if r := &results[i]; r.Parked > 0 {
			e.printf("%s: %s failed, and would be parked\n", r.description, plural(r.Parked, "event"))
		}
	}
	return nil
}

func (r *benchResult) cells() []table.Cell {
	cells := []table.Cell{
		{Text: r.description},
		table.Number(progress.Count(r.Events)),
		table.Number(progress.Count(int64(r.PerSecond))),
		table.Number(fmt.Sprintf("%.2f", r.CPU)),
		table.Number(fmt.Sprint((r.Memory + 1<<20 - 1) >> 20)),
	}
	if r.P50 > 0 {
		cells = append(cells, latencyCell(r.P50), latencyCell(r.P99))
	}
	return cells
}

func latencyCell(micros float64) table.Cell {
	return table.Number(time.Duration(micros * float64(time.Microsecond)).Round(time.Microsecond).String())
}
