package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/cli/internal/progress"
)

func newStatus(e *env) *cobra.Command {
	var asJSON bool
	c := e.command(&cobra.Command{
		Use: "status", Short: "Print what the database knows of every projection",
	}, func(ctx context.Context, _ []string) error { return e.status(ctx, asJSON) })
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

// statusLine is one projection, as `status --json` prints it.
type statusLine struct {
	Name     string     `json:"name"`
	State    string     `json:"state"`
	Reason   string     `json:"reason,omitempty"`
	Owner    string     `json:"owner,omitempty"` // empty = nobody
	Epoch    int64      `json:"epoch"`
	Position string     `json:"position"`
	Handled  int64      `json:"handled"`
	Ignored  int64      `json:"ignored"`
	Skipped  int64      `json:"skipped"` // failed events passed over
	Parked   int64      `json:"parked"`  // failed events put aside, now
	Updated  *time.Time `json:"updated,omitempty"`
}

func (e *env) status(ctx context.Context, asJSON bool) error {
	cfg, err := e.config(false)
	if err != nil {
		return err
	}
	defined, err := e.define(cfg, nil)
	if err != nil {
		return err
	}
	store, err := e.openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing was written
	known, err := store.List(ctx)
	if err != nil {
		return err
	}
	lines := statusLines(defined, known)
	if asJSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(lines)
	}
	return e.printStatus(lines)
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
			lines = append(lines, statusLine{Name: p.Name(), State: "never run", Position: checkpoint.Position{}.String()})
			continue
		}
		delete(byName, p.Name())
		lines = append(lines, newStatusLine(s))
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

func newStatusLine(s checkpoint.Status) statusLine {
	l := statusLine{
		Name: s.Name, State: s.State, Reason: s.Reason, Epoch: s.Epoch, Position: s.Position.String(),
		Handled: s.Handled, Ignored: s.Ignored, Skipped: s.Skipped, Parked: s.Parked, Updated: &s.Updated,
	}
	switch {
	case s.Held:
		l.Owner = s.Owner
	case s.State != string(projector.StateStopped):
		// Its owner has died, or could not say goodbye.
		l.State = "no owner"
		if s.State != "" { // it has said something since it was made, or reset
			l.Reason = strings.TrimSuffix("last was "+s.State+": "+s.Reason, ": ")
		}
	}
	return l
}

func (e *env) printStatus(lines []statusLine) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tPOSITION\tHANDLED\tIGNORED\tPARKED\tOWNER\tUPDATED\tREASON")
	for _, l := range lines {
		owner, updated, reason := "–", "–", l.Reason
		if l.Owner != "" {
			owner = l.Owner
		}
		if l.Updated != nil {
			updated = ago(time.Since(*l.Updated))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.State, l.Position, progress.Count(l.Handled),
			progress.Count(l.Ignored), progress.Count(l.Parked), owner, updated, reason)
	}
	return w.Flush()
}

func ago(d time.Duration) string { return max(0, d).Round(time.Second).String() + " ago" }
