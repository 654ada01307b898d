package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

// ErrTestFailed is in the chain of every error of a test that did not hold.
var ErrTestFailed = errors.New("test failed")

// Run runs the test on a store, which may hold nothing of the file's projections: once with each event alone, and once
// with all in one batch. The error wraps [ErrTestFailed] if the rows are not those wanted, and says what differs.
func (t *Test) Run(ctx context.Context, store checkpoint.Store) error {
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	for _, batch := range []int{1, max(len(t.given), 1)} {
		if err := t.runAll(ctx, store, batch); err != nil {
			return err
		}
	}
	return nil
}

// runAll runs all projections, compares their tables and the views, and leaves the store without rows.
func (t *Test) runAll(ctx context.Context, store checkpoint.Store, batch int) (err error) {
	for _, p := range t.config.Projections {
		if err := store.EnsureTables(ctx, p.Tables()...); err != nil {
			return err
		}
	}
	if err := t.config.EnsureViews(ctx, store); err != nil {
		return err
	}
	failed := false
	for _, p := range t.config.Projections {
		events, err := t.events(p)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			continue
		}
		if _, ok := store.(checkpoint.ViewStore); !ok && len(p.sql.rules) > 0 {
			return t.fail(t.Line, "projection %q has sql, which wants a database: a store in memory knows no SQL", p.Name)
		}
		lease, err := store.Acquire(ctx, checkpoint.Claim{Name: p.Name, Owner: "test", TTL: time.Minute})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Reset(ctx, p.Name, p.Tables()...)) }()
		asWanted, err := t.fold(ctx, lease, p, events, batch)
		if err := errors.Join(err, lease.Release(ctx)); err != nil {
			return err
		}
		failed = failed || asWanted
	}
	if t.failure != "" && !failed {
		return t.fail(t.Line, "the last event must fail with %q, but does not", t.failure)
	}
	for _, want := range t.want {
		if err := t.compare(ctx, store, want); err != nil {
			return err
		}
	}
	if s, ok := store.(checkpoint.ViewStore); ok {
		for _, want := range t.views {
			if err := t.compareView(ctx, s, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// events returns those that a projection reads, with all that is not given made up.
func (t *Test) events(p *Projection) ([]source.Event, error) {
	var events []source.Event
	for i, e := range t.given {
		if e.Stream == "" {
			e.Stream = p.Source.anyStream()
		}
		if !p.Source.matches(e.Stream, e.Type) {
			continue
		}
		if e.ID == uuid.Nil {
			e.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, t.Name, i))
		}
		if e.Created.IsZero() {
			e.Created = time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC)
		}
		e.Number, e.Position = int64(i), checkpoint.AtNumber(int64(i))
		if p.upcasters != nil {
			var err error
			if e.Type, e.Data, err = p.upcasters.Upcast(e.Type, e.Data, e.Metadata); err != nil {
				return nil, t.fail(t.Line, "event %d: %v", i+1, err)
			}
		}
		events = append(events, e)
	}
	return events, nil
}

// WantsSQL reports whether events of the test reach a projection with sql. Then it can be run on a store with SQL only.
func (t *Test) WantsSQL() bool {
	for _, p := range t.config.Projections {
		if events, err := t.events(p); err == nil && len(events) > 0 && len(p.sql.rules) > 0 {
			return true
		}
	}
	return false
}

// fold handles the events of a projection. It reports whether the last one failed as it must.
func (t *Test) fold(ctx context.Context, lease checkpoint.Lease, p *Projection, events []source.Event, batch int) (failed bool, err error) {
	fold := p.model.NewFold(p.Name, lease)
	for done := 0; done < len(events); {
		n := min(batch, len(events)-done)
		err := t.commit(ctx, lease, p, fold, events[done:done+n])
		var at *projector.EventError
		switch {
		case errors.As(err, &at) && at.Index > 0:
			fold.Rollback() // those before it on their own
			batch = at.Index
			continue
		case at != nil && t.failure != "" && done == len(events)-1 && strings.Contains(at.Err.Error(), t.failure):
			return true, nil
		case at != nil:
			return false, t.fail(t.Line, "event %d (%s): %v", done+1, events[done].Type, at.Err)
		case err != nil:
			return false, t.fail(t.Line, "events %d to %d: %v", done+1, done+n, err)
		}
		fold.Committed()
		done += n
	}
	return false, prune(ctx, lease, p, events[len(events)-1].Created)
}

// prune deletes the rows that are too old when the last event has come.
func prune(ctx context.Context, lease checkpoint.Lease, p *Projection, now time.Time) error {
	for _, table := range p.model.Tables() {
		if _, err := lease.Prune(ctx, table, now, math.MaxInt32); err != nil {
			return err
		}
	}
	return nil
}

// commit handles a batch of events in one transaction. What fails because of one of them is an *[projector.EventError].
func (t *Test) commit(ctx context.Context, lease checkpoint.Lease, p *Projection, fold projector.Fold, events []source.Event) error {
	if err := fold.Fold(ctx, events); err != nil {
		return err
	}
	change := checkpoint.Change{
		From: lease.Position(), To: events[len(events)-1].Position, Writes: fold.Writes(), Handled: int64(len(events)),
	}
	if len(p.sql.rules) == 0 {
		return lease.Commit(ctx, change)
	}
	tx, err := lease.Begin(ctx)
	if err != nil {
		return err
	}
	for i := range events {
		if err := p.sql.run(ctx, tx.(checkpoint.SQLTx), &events[i]); err != nil {
			return errors.Join(&projector.EventError{Index: i, Class: projector.ClassHandler, Err: err}, tx.Rollback(ctx))
		}
	}
	return tx.Commit(ctx, change)
}

// compare compares the rows of a table with those wanted.
func (t *Test) compare(ctx context.Context, store checkpoint.Store, want wantedTable) error {
	var got [][]any
	err := store.Rows(ctx, want.table, 0, func(row []any) bool {
		got = append(got, slices.Clone(row))
		return true
	})
	if err != nil {
		return err
	}
	used := make([]bool, len(got))
	for _, row := range want.rows {
		i := -1
		for j := range got {
			if !used[j] && row.holds(got[j], row.columns) {
				i = j
				break
			}
		}
		if i < 0 {
			return t.fail(row.line, "table %q has no row %s; it has:%s", want.table.Name, show(want.table, row.columns, row.values), showAll(want.table, got))
		}
		used[i] = true
	}
	if len(want.rows) < len(got) {
		return t.fail(want.line, "table %q has %d rows, not %d:%s", want.table.Name, len(got), len(want.rows), showAll(want.table, got))
	}
	return nil
}

func (w *wantedRow) holds(row []any, columns []int) bool {
	for i, c := range columns {
		if !readmodel.Equal(row[c], w.values[i]) {
			return false
		}
	}
	return true
}

func (t *Test) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w: %s: %s", t.file, line, ErrTestFailed, t.Name, fmt.Sprintf(format, args...))
}

func showAll(table *checkpoint.Table, rows [][]any) string {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString("\n  " + show(table, nil, row))
	}
	if len(rows) == 0 {
		b.WriteString(" none")
	}
	return b.String()
}

// show prints a row, or some of its columns.
func show(table *checkpoint.Table, columns []int, values []any) string {
	var parts []string
	for i, v := range values {
		c := i
		if columns != nil {
			c = columns[i]
		}
		parts = append(parts, table.Columns[c].Name+": "+showValue(v))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func showValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case json.RawMessage:
		return string(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = showValue(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}
