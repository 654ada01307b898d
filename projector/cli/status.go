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
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
	"github.com/photonpump/projector/projector/cli/internal/style"
	"github.com/photonpump/projector/projector/cli/internal/table"
	"github.com/photonpump/projector/projector/config"
	"github.com/photonpump/projector/projector/source"
)

const statusLong = `Prints what the database knows of every projection, and how far each is behind its source, which the event store is
asked for. If that does not answer in time, the lag is "not known" (-1 in JSON), and the rest is printed all the same.

States: starting, standby, catching-up, live, retrying, paused, stopped (on purpose, or for the reason given), "no owner"
(its process has died), changed (it was changed in the file so that its rows do not fit), "never run".`

const (
	defaultAsk   = 3 * time.Second // for the event store to answer
	defaultWatch = 2 * time.Second // between two looks
)

type statusFlags struct {
	json    bool
	timeout time.Duration // 0 = the event store is not asked
	watch   time.Duration // 0 = once
}

func newStatus(e *env) *cobra.Command {
	var f statusFlags
	c := e.command(&cobra.Command{
		Use: "status", Short: "Print state, position and lag of every projection", Long: statusLong,
		Example: "  projector status\n  projector status --watch\n  projector status --json | jq '.[] | select(.parked > 0)'",
	}, func(ctx context.Context, _ []string) error { return e.status(ctx, f) })
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON array")
	c.Flags().DurationVar(&f.timeout, "timeout", defaultAsk, "`time` that the event store has to say where it ends; 0 does not ask it")
	c.Flags().DurationVar(&f.watch, "watch", 0, "print again and again until Ctrl-C, every `time`, or "+defaultWatch.String()+" if none is given")
	c.Flags().Lookup("watch").NoOptDefVal = defaultWatch.String()
	return c
}

// statusLine is one projection, as `status --json` prints it.
type statusLine struct {
	Name       string     `json:"name"`
	State      string     `json:"state"`
	Reason     string     `json:"reason,omitempty"`
	Owner      string     `json:"owner,omitempty"` // empty = nobody
	Epoch      int64      `json:"epoch"`
	Position   string     `json:"position"`
	LagEvents  int64      `json:"lag_events"`           // -1 = not known
	LagSeconds float64    `json:"lag_seconds"`          // age of the oldest event that is not handled; -1 = not known
	LagReason  string     `json:"lag_reason,omitempty"` // why it is not known
	Handled    int64      `json:"handled"`
	Ignored    int64      `json:"ignored"`
	Skipped    int64      `json:"skipped"` // failed events passed over
	Parked     int64      `json:"parked"`  // failed events put aside, now
	Updated    *time.Time `json:"updated,omitempty"`

	Shards []shardLine `json:"shards,omitempty"` // of a projection that is divided; what is above is then said of all of them

	at  checkpoint.Position
	lag lag
}

// shardLine is one shard of a projection, as `status --json` prints it.
type shardLine struct {
	Shard    int    `json:"shard"` // from 0
	State    string `json:"state"`
	Reason   string `json:"reason,omitempty"`
	Owner    string `json:"owner,omitempty"`
	Epoch    int64  `json:"epoch"`
	Position string `json:"position"`
	Handled  int64  `json:"handled"`
	Parked   int64  `json:"parked"`
}

func (e *env) status(ctx context.Context, f statusFlags) error {
	if f.timeout < 0 || f.watch < 0 {
		return usage(errors.New("--timeout and --watch must not be negative"))
	}
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	store, err := e.openExisting(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	for {
		lines, err := e.statusOf(ctx, cfg, store, f.timeout)
		if err == nil {
			err = e.printStatus(lines, f)
		}
		if f.watch == 0 || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.watch):
		}
	}
}

// statusOf collects what is known of all projections.
func (e *env) statusOf(ctx context.Context, cfg *config.Config, store checkpoint.Store, timeout time.Duration) ([]statusLine, error) {
	known, err := store.List(ctx)
	if err != nil {
		return nil, databaseError(cfg, err)
	}
	ask, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var es *eventStore
	away := errors.New("the event store was not asked")
	if timeout > 0 {
		if es, away = e.peek(ask, cfg); away == nil {
			defer es.Close() //nolint:errcheck // nothing was written
		}
	}
	defined, err := e.define(cfg, es.clientOrNil())
	if err != nil {
		return nil, err
	}
	lines := statusLines(defined, known)
	addLags(ask, lines, defined, away)
	return lines, nil
}

// addLags asks the event store for the lag of each projection that is defined; away is why it cannot be asked.
func addLags(ctx context.Context, lines []statusLine, defined []*projector.Projection, away error) {
	var sources []source.Feed
	var at []checkpoint.Position
	for i, p := range defined { // the first lines, in this order
		sources, at = append(sources, p.Source()), append(at, lines[i].at)
	}
	var lags []lag
	if away == nil {
		lags = measureLags(ctx, sources, at)
	}
	for i := range lines {
		l := &lines[i]
		switch {
		case i >= len(defined):
			l.lag = unknownLag(errors.New("not defined here"))
		case away != nil:
			l.lag = unknownLag(away)
		default:
			l.lag = lags[i]
		}
		l.LagEvents, l.LagSeconds = l.lag.events, l.lag.seconds()
		if l.lag.err != nil {
			l.LagReason = l.lag.err.Error()
		}
	}
}

// statusLines lists the projections in the order of their definitions, then those that are in the database only.
func statusLines(defined []*projector.Projection, known []checkpoint.Status) []statusLine {
	lines := []statusLine{}
	byName := make(map[string]checkpoint.Status, len(known))
	for _, s := range known {
		byName[s.Name] = s
	}
	for _, p := range defined {
		s, ok := byName[p.Name()]
		if !ok {
			l := statusLine{Name: p.Name(), State: "never run", Position: checkpoint.Position{}.String()}
			if _, group := p.Source().(source.Group); group {
				l.State, l.Reason = "not known", "its group is all that keeps a position; see the processes that run it"
			}
			lines = append(lines, l)
			continue
		}
		delete(byName, p.Name())
		l := newStatusLine(s)
		if !checkpoint.SameRows(s.Fingerprint, p.Fingerprint()) && !s.Held {
			l.State, l.Reason = stateChanged, "its rows were built by another definition; run will not go on until `projector reset "+p.Name()+"`"
		}
		lines = append(lines, l)
	}
	for _, s := range known {
		if _, left := byName[s.Name]; left {
			l := newStatusLine(s)
			l.Reason = strings.TrimPrefix(l.Reason+"; not defined here", "; ")
			lines = append(lines, l)
		}
	}
	return lines
}

// States of projections that no process has.
const (
	stateNoOwner = "no owner"
	stateChanged = "changed"
)

func newStatusLine(s checkpoint.Status) statusLine {
	l := statusLine{
		Name: s.Name, State: s.State, Reason: strings.TrimPrefix(s.Reason, fmt.Sprintf("projection %q stopped ", s.Name)), Epoch: s.Epoch, Position: s.Position.String(),
		Handled: s.Handled, Ignored: s.Ignored, Skipped: s.Skipped, Parked: s.Parked, Updated: &s.Updated, at: s.Position,
	}
	if len(s.Shards) > 0 {
		l.Owner = s.Owner
		l.divide(s.Shards)
		return l
	}
	switch {
	case s.Held:
		l.Owner = s.Owner
	case s.State != string(projector.StateStopped):
		// Its owner has died, or could not say goodbye.
		l.State = stateNoOwner
		if s.State != "" { // it has said something since it was made, or reset
			l.Reason = strings.TrimSuffix("last was "+s.State+": "+s.Reason, ": ")
		}
	}
	return l
}

// divide tells the shards apart. All together are in the state of the one that is worst off.
func (l *statusLine) divide(shards []checkpoint.Status) {
	worst := -1
	for i := range shards {
		s := newStatusLine(shards[i])
		l.Shards = append(l.Shards, shardLine{
			Shard: i, State: s.State, Reason: s.Reason, Owner: s.Owner, Epoch: s.Epoch, Position: s.Position, Handled: s.Handled, Parked: s.Parked,
		})
		if worst < 0 || projector.Severity(stateOf(s.State), s.Reason) > projector.Severity(stateOf(l.Shards[worst].State), l.Shards[worst].Reason) {
			worst = i
		}
	}
	if l.State, l.Reason = l.Shards[worst].State, l.Shards[worst].Reason; l.Reason != "" {
		l.Reason = fmt.Sprintf("shard %d: %s", worst, l.Reason)
	}
}

// stateOf is the state that is as bad as the one shown: a shard without an owner gets nowhere.
func stateOf(shown string) projector.State {
	if shown == stateNoOwner {
		return projector.StatePaused
	}
	return projector.State(shown)
}

// display is the name as the table shows it.
func (l *statusLine) display() string {
	if len(l.Shards) > 0 {
		return fmt.Sprintf("%s (%d shards)", l.Name, len(l.Shards))
	}
	return l.Name
}

const clearScreen = "\x1b[H\x1b[2J"

func (e *env) printStatus(lines []statusLine, f statusFlags) error {
	if f.json {
		enc := json.NewEncoder(e.stdout)
		if f.watch == 0 {
			enc.SetIndent("", "  ")
		}
		return enc.Encode(lines)
	}
	if f.watch > 0 && e.terminal {
		e.printf("%s%s\n\n", clearScreen, e.style().Faint(fmt.Sprintf("%s  every %v; Ctrl-C ends", time.Now().Format(time.TimeOnly), f.watch)))
	}
	if err := table.Print(e.stdout, statusTable(lines, e.style())); err != nil {
		return err
	}
	said := map[string]bool{}
	for _, l := range lines {
		if l.LagReason != "" && !said[l.LagReason] && l.LagReason != "not defined here" {
			said[l.LagReason] = true
			e.notef("lag not known: %s\n", l.LagReason)
		}
	}
	return nil
}

func statusTable(lines []statusLine, s style.Style) [][]table.Cell {
	rows := [][]table.Cell{table.Text("NAME", "STATE", "LAG", "POSITION", "HANDLED", "IGNORED", "PARKED", "OWNER", "UPDATED", "REASON")}
	for _, l := range lines {
		owner, updated := "–", "–"
		if l.Owner != "" {
			owner = l.Owner
		}
		if l.Updated != nil {
			updated = ago(time.Since(*l.Updated))
		}
		parked := table.Number(progress.Count(l.Parked))
		if l.Parked > 0 {
			parked.Paint = s.Notice
		}
		rows = append(rows, []table.Cell{
			{Text: l.display(), Paint: s.Strong},
			{Text: l.State, Paint: l.paint(s)},
			{Text: l.lag.String()},
			{Text: l.Position},
			table.Number(progress.Count(l.Handled)), table.Number(progress.Count(l.Ignored)), parked,
			{Text: owner},
			{Text: updated},
			{Text: printable([]byte(l.Reason))},
		})
	}
	return rows
}

// paint shows whether a state is as it should be.
func (l *statusLine) paint(s style.Style) func(string) string {
	switch projector.State(l.State) {
	case projector.StateLive, projector.StateStandby:
		return s.Good
	case projector.StateRetrying, projector.StatePaused, stateNoOwner:
		return s.Notice
	case stateChanged:
		return s.Bad
	case projector.StateStopped:
		if l.Reason != "" {
			return s.Bad
		}
	}
	return nil
}

func ago(d time.Duration) string { return progress.Age(d) + " ago" }
