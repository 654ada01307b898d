package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

const planLong = `Says what run would do, and does nothing: which tables, columns and indexes it makes, which projections it builds or goes on
with, how many events they read and about how long that takes, and which refuse to run and why.

The time is estimated from a sample: each projection of the file that has something to read is run from where it would
start, for at most a second (--sample), into a temporary SQLite file. Of projections of a program only the reading is
measured, since their handlers may have effects. An event store that is embedded and not there yet is made up in memory.`

// defaultSample is for how long each projection is run to learn how fast it is.
const defaultSample = time.Second

type planFlags struct {
	json   bool
	sample time.Duration
}

func newPlan(e *env) *cobra.Command {
	var f planFlags
	c := e.command(&cobra.Command{
		Use: "plan", Short: "Say what run would do: tables to make, projections to build, how long it takes", Long: planLong,
		Example: "  projector plan\n  projector plan --sample 10s\n  projector plan --json | jq '.projections[] | select(.action == \"reset\")'",
	}, func(ctx context.Context, _ []string) error {
		if f.sample < 0 {
			return usage(errors.New("--sample must not be negative"))
		}
		return e.plan(ctx, f)
	})
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object")
	c.Flags().DurationVar(&f.sample, "sample", defaultSample, "at most this `time` to measure each projection; 0 estimates nothing")
	return c
}

// Actions of a plan.
const (
	actionBuild    = "build"    // from its start
	actionContinue = "continue" // after its position
	actionNothing  = "nothing"  // it is at the end of its source
	actionReset    = "reset"    // refuses to run until it is reset, and is then built
	actionRefuse   = "refuse"   // refuses to run until a table is changed by hand, or it is reset
)

// plan is what run would do.
type plan struct {
	EventStore  string        `json:"event_store"`
	Database    string        `json:"database"`
	Note        string        `json:"note,omitempty"` // about the database
	Projections []plannedWork `json:"projections"`
	Estimated   string        `json:"estimated,omitempty"` // how
}

// plannedWork is what run would do for one projection.
type plannedWork struct {
	Name    string         `json:"name"`
	Action  string         `json:"action"`
	Reason  string         `json:"reason,omitempty"`
	Owner   string         `json:"owner,omitempty"` // runs it now
	From    string         `json:"from"`
	To      string         `json:"to"`
	Events  int64          `json:"events"`  // to read; -1 = positions do not count them
	Seconds float64        `json:"seconds"` // about; -1 = not known
	Tables  []plannedTable `json:"tables"`

	from, to checkpoint.Position
}

// plannedTable is what run would do to one table.
type plannedTable struct {
	Name    string   `json:"name"`
	Create  bool     `json:"create"`
	Rows    int64    `json:"rows"`              // that are there
	Columns []string `json:"columns,omitempty"` // that are added
	Indexes []string `json:"indexes,omitempty"` // that are made
	Drift   []string `json:"drift,omitempty"`   // differences that run does not mend
}

func (e *env) plan(ctx context.Context, f planFlags) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	es, err := e.imagine(ctx, cfg)
	if err != nil {
		return err
	}
	defer es.Close() //nolint:errcheck // nothing was written
	projections, err := e.define(cfg, es.client)
	if err != nil {
		return err
	}
	p := &plan{EventStore: es.about, Database: describeDatabase(cfg), Projections: []plannedWork{}}
	store, err := e.openExisting(ctx, cfg)
	if absent, ok := errors.AsType[*absentError](err); ok {
		p.Note = absent.Error()
		store, err = emptyStore(ctx)
	}
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	for _, projection := range projections {
		work, err := planWork(ctx, store, projection)
		if err != nil {
			return fmt.Errorf("projection %s: %w", projection.Name(), err)
		}
		p.Projections = append(p.Projections, work)
	}
	if f.sample > 0 {
		if err := e.estimate(ctx, p, cfg, es.client, projections, f.sample); err != nil {
			return err
		}
	}
	return e.printPlan(p, f.json)
}

// emptyStore stands for a database that is still to be made.
func emptyStore(ctx context.Context) (checkpoint.Store, error) {
	store := memory.Open()
	return store, store.Migrate(ctx)
}

// planWork compares one projection with what the database and the event store have.
func planWork(ctx context.Context, store checkpoint.Store, p *projector.Projection) (plannedWork, error) {
	w := plannedWork{Name: p.Name(), Action: actionBuild, Seconds: -1, Tables: []plannedTable{}}
	stored, err := storedStatus(ctx, store, p.Name())
	if err != nil {
		return w, err
	}
	start, err := p.Start(ctx)
	if err != nil {
		return w, err
	}
	if w.to, err = p.Source().Head(ctx); err != nil {
		return w, err
	}
	w.from = start
	claim := checkpoint.Claim{Fingerprint: p.Fingerprint(), Start: start}
	switch {
	case stored == nil:
	case !claim.Fits(stored.Fingerprint, stored.Position):
		w.Action, w.Reason = actionReset, "its rows were built by another definition"
	default:
		w.Action, w.from = actionContinue, stored.Position
	}
	if stored != nil && stored.Held {
		w.Owner = stored.Owner
	}
	if w.Tables, err = planTables(ctx, store, p.Tables()); err != nil {
		return w, err
	}
	if w.Action == actionContinue {
		if why := divides(stored, p.Shards()); why != "" {
			w.Action, w.Reason = actionRefuse, why
		}
	}
	for _, t := range w.Tables {
		if len(t.Drift) > 0 && w.Action != actionReset {
			w.Action, w.Reason = actionRefuse, "a table is not as defined"
		}
	}
	if order, ok := w.from.Compare(w.to); ok && order >= 0 && w.Action != actionRefuse && w.Action != actionReset {
		w.Action = actionNothing
		w.to = w.from
	}
	w.From, w.To, w.Events = w.from.String(), w.to.String(), w.from.EventsUntil(w.to)
	if _, group := p.Source().(source.Group); group && w.Action != actionNothing {
		w.Events = -1 // what waits in a group is the event store's to know
	}
	return w, nil
}

// divides says why a projection cannot have so many shards; empty if it can.
func divides(stored *checkpoint.Status, shards int) string {
	before := max(1, len(stored.Shards))
	if before == shards {
		return ""
	}
	var against []string
	if stored.Held {
		against = append(against, "it is running")
	}
	if stored.Parked > 0 {
		against = append(against, fmt.Sprintf("%d events are parked", stored.Parked))
	}
	for _, s := range stored.Shards {
		if s.Position != stored.Shards[0].Position {
			against = append(against, "its shards are not at one position")
			break
		}
	}
	if len(against) == 0 {
		return ""
	}
	return fmt.Sprintf("not ready for %d shards in place of %d (%s; `projector run --once` with %d makes it ready)",
		shards, before, strings.Join(against, ", "), before)
}

func storedStatus(ctx context.Context, store checkpoint.Store, name string) (*checkpoint.Status, error) {
	known, err := store.List(ctx)
	for i := range known {
		if known[i].Name == name {
			return &known[i], err
		}
	}
	return nil, err
}

func planTables(ctx context.Context, store checkpoint.Store, tables []*checkpoint.Table) ([]plannedTable, error) {
	diffs, err := store.Diff(ctx, tables...)
	if err != nil {
		return nil, err
	}
	planned := []plannedTable{}
	for _, d := range diffs {
		t := plannedTable{Name: d.Table.Name, Create: d.Missing, Drift: d.Drift}
		columns, indexes := d.Columns, d.Indexes
		if d.Missing {
			columns, indexes = d.Table.Columns, d.Table.Indexes
		} else if t.Rows, err = store.Count(ctx, d.Table); err != nil {
			return nil, err
		}
		for _, c := range columns {
			t.Columns = append(t.Columns, describeColumn(&c))
		}
		for _, ix := range indexes {
			t.Indexes = append(t.Indexes, describeIndex(ix))
		}
		planned = append(planned, t)
	}
	return planned, nil
}

func (e *env) printPlan(p *plan, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	s := e.style()
	if p.Note != "" {
		e.printf("%s\n", s.Notice(p.Note))
	}
	for i := range p.Projections {
		w := &p.Projections[i]
		e.printf("%s: %s\n", s.Strong(w.Name), w.text(s))
		for j := range w.Tables {
			w.Tables[j].print(e, w.Action)
		}
	}
	if p.Estimated != "" {
		e.printf("%s\n", s.Faint(p.Estimated))
	}
	return nil
}
