package checkpointtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Bench measures what a projection asks of a store all the time. open returns a store with the tables, empty.
func Bench(b *testing.B, open func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store) {
	b.Run("Upsert1000", func(b *testing.B) { benchUpsert(b, open, 1000) })
	b.Run("Upsert1", func(b *testing.B) { benchUpsert(b, open, 1) })
	b.Run("Insert5000", func(b *testing.B) { benchInsert(b, open, 5000) })
	b.Run("Load1000", func(b *testing.B) { benchLoad(b, open, 1000) })
	b.Run("Position", func(b *testing.B) { benchUpsert(b, open, 0) })
}

func jumpers() *checkpoint.Table {
	t := &checkpoint.Table{Name: "jumpers", Key: []string{"name"}, Columns: []checkpoint.Column{
		column("name", checkpoint.Text), column("jumps", checkpoint.Int), column("best", checkpoint.Float), column("last", checkpoint.Int),
	}}
	for i := range t.Columns {
		t.Columns[i].NotNull = true
	}
	return t
}

func benchLease(b *testing.B, s checkpoint.Store) checkpoint.Lease {
	b.Helper()
	lease, err := s.Acquire(b.Context(), checkpoint.Claim{Name: "p", Owner: "bench", TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	return lease
}

func benchCommit(b *testing.B, lease checkpoint.Lease, n int, writes ...checkpoint.TableWrite) {
	b.Helper()
	change := checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(int64(n)), Handled: 1, Writes: writes}
	if err := lease.Commit(b.Context(), change); err != nil {
		b.Fatal(err)
	}
}

func rate(b *testing.B, rows int) {
	b.Helper()
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchUpsert(b *testing.B, open func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store, rows int) {
	b.Helper()
	table := jumpers()
	lease := benchLease(b, open(b, table))
	upserts := make([][]any, rows)
	for i := range upserts {
		upserts[i] = []any{fmt.Sprintf("pony-%04d", i), int64(i), 1.5, int64(i)}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		benchCommit(b, lease, n, checkpoint.TableWrite{Table: table, Upserts: upserts})
	}
	rate(b, rows)
}

func benchInsert(b *testing.B, open func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store, rows int) {
	b.Helper()
	table := &checkpoint.Table{Name: "jumps", Key: []string{"n"}, Columns: []checkpoint.Column{
		column("n", checkpoint.Int), column("name", checkpoint.Text), column("height", checkpoint.Float), column("at", checkpoint.Time),
	}}
	lease := benchLease(b, open(b, table))
	upserts := make([][]any, rows)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for i := range upserts {
		upserts[i] = []any{nil, fmt.Sprintf("pony-%04d", i), 1.5, at}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		for i := range upserts {
			upserts[i][0] = int64(n*rows + i)
		}
		benchCommit(b, lease, n, checkpoint.TableWrite{Table: table, Upserts: upserts})
	}
	rate(b, rows)
}

func benchLoad(b *testing.B, open func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store, rows int) {
	b.Helper()
	table := jumpers()
	lease := benchLease(b, open(b, table))
	upserts, keys := make([][]any, rows), make([][]any, rows)
	for i := range upserts {
		upserts[i] = []any{fmt.Sprintf("pony-%04d", i), int64(i), 1.5, int64(i)}
		keys[i] = upserts[i][:1]
	}
	benchCommit(b, lease, 1, checkpoint.TableWrite{Table: table, Upserts: upserts})
	b.ReportAllocs()
	for b.Loop() {
		if found, err := lease.Load(b.Context(), table, keys); err != nil || found[rows-1] == nil {
			b.Fatal(err)
		}
	}
	rate(b, rows)
}
