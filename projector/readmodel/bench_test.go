package readmodel

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// noRows is a lease of an empty database that forgets what is written.
type noRows struct{ checkpoint.Lease }

func (noRows) Epoch() int64 { return 1 }

func (noRows) Load(_ context.Context, _ *checkpoint.Table, keys [][]any) ([][]any, error) {
	return make([][]any, len(keys)), nil
}

// jumps makes events of 256 bytes over a number of ponies.
func jumps(n, ponies int) []source.Event {
	note := strings.Repeat("x", 180)
	events := make([]source.Event, n)
	for i := range events {
		data := fmt.Sprintf(`{"name":"pony-%04d","height_m":%d.%03d,"seq":%d,"note":%q}`, i*7919%ponies, i%3, i%1000, i, note)
		events[i] = source.Event{Type: "pony.jumped", Stream: "ponies", Number: int64(i), Data: []byte(data), JSON: true}
	}
	return events
}

func benchmarkFold(b *testing.B, m *Model, keys int) {
	events := jumps(5000, keys)
	fold := m.NewFold("bench", noRows{})
	b.ReportAllocs()
	b.SetBytes(int64(len(events[0].Data)))
	for n := 0; n < b.N; n += len(events) {
		if err := fold.Fold(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		fold.Writes()
		fold.Committed()
	}
}

// One operation is one event: decoded, folded, and its share of a batch of 5000.
func BenchmarkTable(b *testing.B) { benchmarkFold(b, ponies(), 1000) }

// As BenchmarkTable, with as good as no row in memory.
func BenchmarkTableManyKeys(b *testing.B) { benchmarkFold(b, ponies().CacheRows(0), 5000) }

// What the engine costs without decoding.
func BenchmarkTableNoBody(b *testing.B) {
	type counter struct{ N int64 }
	var names [1000]string
	for i := range names {
		names[i] = fmt.Sprint("pony-", i)
	}
	m := Table("counters", On("pony.jumped",
		func(e projector.Event[nothing]) string { return names[e.Number%1000] },
		func(r *Row[counter], _ projector.Event[nothing]) error { r.Value.N++; return nil }))
	benchmarkFold(b, m, 1000)
}

// nothing decodes to nothing.
type nothing struct{}

func (*nothing) UnmarshalJSON([]byte) error { return nil }

// One row for each event, none of them read before.
func BenchmarkInsert(b *testing.B) {
	type jump struct {
		Name   string
		Height float64
	}
	n := int64(0)
	m := Table("jumps", Insert("pony.jumped",
		func(projector.Event[jumped]) int64 { n++; return n },
		func(e projector.Event[jumped]) (jump, error) { return jump{e.Body.Name, e.Body.HeightM}, nil }))
	benchmarkFold(b, m, 1000)
}
