package esclient_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/photonpump/projector/esclient"
)

// body and metadata of the events of the benchmarks: 256 and 64 bytes.
func benchEvent() esclient.NewEvent {
	body := append([]byte(`{"note":"`), bytes.Repeat([]byte("x"), 245)...)
	meta := append([]byte(`{"u":"`), bytes.Repeat([]byte("m"), 56)...)
	return esclient.NewEvent{
		Type: "pony.jumped", Body: json.RawMessage(append(body, `"}`...)), Metadata: json.RawMessage(append(meta, `"}`...)),
	}
}

// benchStream starts a node and fills a stream with n events.
func benchStream(b *testing.B, n int) *esclient.Client {
	b.Helper()
	node := startNode(b)
	c := dial(b, node.URL())
	batch := make([]esclient.NewEvent, 500)
	for i := range batch {
		batch[i] = benchEvent()
	}
	for range n / len(batch) {
		if _, err := c.Append(b.Context(), "s", esclient.Any, batch...); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

// perEvent reports the cost of one event of n each round.
func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
}

func BenchmarkStreamEvents(b *testing.B) {
	const n = 50_000
	c := benchStream(b, n)
	b.ReportAllocs()
	for b.Loop() {
		got := 0
		for e, err := range c.StreamEvents(b.Context(), "s", 0, esclient.ReadOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			got += len(e.Data) / 256
		}
		if got != n {
			b.Fatalf("got %d events", got)
		}
	}
	perEvent(b, n)
}

func BenchmarkCatchUp(b *testing.B) {
	const n = 50_000
	c := benchStream(b, n)
	b.ReportAllocs()
	for b.Loop() {
		sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
		for got := 0; got < n; {
			batch, err := sub.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			got += len(batch.Events)
		}
		sub.Stop()
	}
	perEvent(b, n)
}

func BenchmarkAppendAsync(b *testing.B) {
	c := benchStream(b, 0)
	event := benchEvent()
	b.ReportAllocs()
	window := make([]*esclient.Pending, 100)
	i := 0
	for b.Loop() {
		slot := &window[i%len(window)]
		if *slot != nil {
			if _, err := (*slot).Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		*slot = c.AppendAsync(b.Context(), "s", esclient.Any, event)
		i++
	}
}

func BenchmarkAppendParallel(b *testing.B) {
	c := benchStream(b, 0)
	event := benchEvent()
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Append(b.Context(), "s", esclient.Any, event); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkAppendFrom(b *testing.B) {
	const n = 20_000
	c := benchStream(b, 0)
	event := benchEvent()
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.AppendFrom(b.Context(), "s", esclient.Any, func(yield func(esclient.NewEvent) bool) {
			for i := 0; i < n && yield(event); i++ {
			}
		}, esclient.AppendFromOptions{})
		if err != nil {
			b.Fatal(err)
		}
	}
	perEvent(b, n)
}

func BenchmarkPersistent(b *testing.B) {
	const n = 20_000
	c := benchStream(b, n)
	settings := esclient.DefaultPersistentSettings()
	settings.StartFrom, settings.ReadBatch, settings.Buffer = 0, 100, 1000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		_ = c.DeletePersistent(b.Context(), "s", "g")
		if err := c.CreatePersistent(b.Context(), "s", "g", settings); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{Buffer: 200, ManualAck: true})
		got := 0
		for e, err := range sub.Events(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			sub.Ack(e)
			if got++; got == n {
				break
			}
		}
		sub.Stop()
	}
	perEvent(b, n)
}

func BenchmarkRoundTrip(b *testing.B) {
	c := benchStream(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Ping(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
