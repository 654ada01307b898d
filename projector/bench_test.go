package projector_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// nothing is a folder that costs nothing, to see what the runner itself costs.
type nothing struct{}

func (nothing) Tables() []*checkpoint.Table                     { return nil }
func (nothing) Handles(string) bool                             { return true }
func (nothing) Fingerprint() string                             { return "" }
func (nothing) NewFold(string, checkpoint.Lease) projector.Fold { return nothing{} }
func (nothing) Fold(context.Context, []source.Event) error      { return nil }
func (nothing) Writes() []checkpoint.TableWrite                 { return nil }
func (nothing) Committed()                                      {}
func (nothing) Rollback()                                       {}

// BenchmarkRunner reads one event for each iteration, through a store and a log in memory.
func BenchmarkRunner(b *testing.B) {
	for _, bc := range []struct {
		name string
		part projector.Part
	}{
		{"fold nothing", nothing{}},
		{"On", projector.On("pony.jumped", func(context.Context, projector.Event[[]byte]) error { return nil }, projector.WithCodec(codec.Raw()))},
	} {
		b.Run(bc.name, func(b *testing.B) {
			log := sourcetest.New()
			events := make([]source.Event, b.N)
			created := time.Now()
			for i := range events {
				events[i] = source.Event{Type: "pony.jumped", Data: []byte("{}"), Created: created}
			}
			log.Append("ponies", events...)
			r, err := projector.NewRunner(memory.Open(), []*projector.Projection{projector.New("p", log.Stream("ponies"), bc.part)}, projector.Once())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			if err := r.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			if st := r.Status()[0]; st.Handled != int64(b.N) {
				b.Fatalf("handled %d of %d", st.Handled, b.N)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkWorkers has handlers sleep a millisecond, and compares that with as many goroutines that sleep in a loop.
func BenchmarkWorkers(b *testing.B) {
	for _, workers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			log := sourcetest.New()
			events := make([]source.Event, b.N)
			for i := range events {
				events[i] = source.Event{Type: "pony.jumped", ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))}
			}
			log.Append("ponies", events...)
			nap := func(context.Context, projector.Event[[]byte]) error { time.Sleep(time.Millisecond); return nil }
			p := projector.New("p", log.Stream("ponies"), projector.On("pony.jumped", nap)).
				With(projector.WithWorkers(workers), projector.OrderBy(func(e *source.Event) string { return e.ID.String() }))
			r, err := projector.NewRunner(memory.Open(), []*projector.Projection{p}, projector.Once())
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if err := r.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			ours := b.Elapsed()
			began := time.Now()
			var loops sync.WaitGroup
			var next atomic.Int64
			for range workers {
				loops.Go(func() {
					for next.Add(1) <= int64(b.N) {
						time.Sleep(time.Millisecond)
					}
				})
			}
			loops.Wait()
			b.ReportMetric(float64(time.Since(began))/float64(ours), "of-the-limit")
		})
	}
}
