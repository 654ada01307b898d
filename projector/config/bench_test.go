package config

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/readmodel"
	"github.com/photonpump/projector/projector/source"
)

const benchFile = `
projections:
  ponies:
    source: {stream: ponies}
    key: body.name
    table: {columns: {name: text, jumps: int, best_m: float, last_event: int}, primary_key: name}
    on:
      pony.jumped:
        increment: {jumps: 1}
        max: {best_m: body.height_m}
        set: {last_event: event.number}
`

// noRows is a lease of an empty database that forgets what is written.
type noRows struct{ checkpoint.Lease }

func (noRows) Epoch() int64 { return 1 }

func (noRows) Load(_ context.Context, _ *checkpoint.Table, keys [][]any) ([][]any, error) {
	return make([][]any, len(keys)), nil
}

// One operation is one event of 256 bytes over 1000 ponies: decoded, folded, and its share of a batch of 5000.
func BenchmarkFold(b *testing.B) {
	events := make([]source.Event, 5000)
	note := strings.Repeat("x", 180)
	for i := range events {
		data := fmt.Sprintf(`{"name":"pony-%04d","height_m":%d.%03d,"seq":%d,"note":%q}`, i*7919%1000, i%3, i%1000, i, note)
		events[i] = source.Event{Type: "pony.jumped", Stream: "ponies", Number: int64(i), Data: []byte(data), JSON: true}
	}
	b.Run("yaml", func(b *testing.B) {
		cfg, err := Parse("f.yml", []byte(benchFile), environment)
		if err != nil {
			b.Fatal(err)
		}
		benchmark(b, cfg.Projections[0].model, events)
	})
	b.Run("go", func(b *testing.B) {
		type jumped struct {
			Name    string
			HeightM float64 `json:"height_m"`
		}
		type pony struct {
			Name      string `db:",key"`
			Jumps     int64
			BestM     float64
			LastEvent int64
		}
		benchmark(b, readmodel.Table("ponies", readmodel.On("pony.jumped",
			func(e projector.Event[jumped]) string { return e.Body.Name },
			func(r *readmodel.Row[pony], e projector.Event[jumped]) error {
				r.Value.Jumps++
				r.Value.BestM = max(r.Value.BestM, e.Body.HeightM)
				r.Value.LastEvent = e.Number
				return nil
			})), events)
	})
}

func benchmark(b *testing.B, m *readmodel.Model, events []source.Event) {
	b.Helper()
	fold := m.NewFold("bench", noRows{})
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(events) {
		if err := fold.Fold(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		fold.Writes()
		fold.Committed()
	}
}
