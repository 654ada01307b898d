package readmodel

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle folds events of a model under a lease of a store in memory.
type bundle struct {
	projector.Fold
	t     *testing.T
	store *memory.Store
	lease *countingLease
	model *Model
}

// countingLease counts requests for rows.
type countingLease struct {
	checkpoint.Lease
	loads int
}

func (l *countingLease) Load(ctx context.Context, table *checkpoint.Table, keys [][]any) ([][]any, error) {
	l.loads++
	return l.Lease.Load(ctx, table, keys)
}

func setup(t *testing.T, m *Model) *bundle {
	t.Helper()
	store := memory.Open()
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTables(t.Context(), m.Tables()...); err != nil {
		t.Fatal(err)
	}
	lease, err := store.Acquire(t.Context(), checkpoint.Claim{Name: "test", Owner: "test", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	counting := &countingLease{Lease: lease}
	return &bundle{Fold: m.NewFold("test", counting), t: t, store: store, lease: counting, model: m}
}

// fold folds events and commits them as one batch.
func (b *bundle) fold(events ...source.Event) {
	b.t.Helper()
	if err := b.Fold.Fold(b.t.Context(), events); err != nil {
		b.t.Fatal(err)
	}
	b.commit(b.Writes())
}

func (b *bundle) commit(writes []checkpoint.TableWrite) {
	b.t.Helper()
	at := b.lease.Position()
	if err := b.lease.Commit(b.t.Context(), checkpoint.Change{From: at, To: at, Writes: writes}); err != nil {
		b.t.Fatal(err)
	}
	b.Committed()
}

// rows returns what the store has of one table.
func (b *bundle) rows(table int) [][]any {
	b.t.Helper()
	var rows [][]any
	err := b.store.Rows(b.t.Context(), b.model.Tables()[table], 0, func(row []any) bool {
		rows = append(rows, append([]any(nil), row...))
		return true
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}

// event makes an event with a body.
func event(eventType string, body any) source.Event {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return source.Event{Type: eventType, Stream: "s", Data: data, JSON: true}
}
