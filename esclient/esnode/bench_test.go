package esnode

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkServePages serves pages of 500 events with 256 bytes of data.
func BenchmarkServePages(b *testing.B) {
	for name, opts := range map[string][]Option{"memory": nil, "disk": {Dir(b.TempDir()), Fsync(FsyncNever)}} {
		b.Run(name, func(b *testing.B) {
			n, err := Start(opts...)
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			c := dialRaw(b, n)
			bodies := make([]string, 500)
			for i := range bodies {
				bodies[i] = strings.Repeat("x", 256)
			}
			for range 20 {
				c.append("s", bodies...)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.send(ReadStreamEventsForward, msg(1, "s", 2, i%20*500, 3, 500, 4, 0, 5, 1))
				b.SetBytes(int64(len(c.want(ReadStreamEventsForwardCompleted).payload)))
			}
			b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkAppend appends one event after the other.
func BenchmarkAppend(b *testing.B) {
	for _, links := range []bool{false, true} {
		b.Run(fmt.Sprintf("links=%v", links), func(b *testing.B) {
			n, err := Start(SystemProjections(links))
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			c := dialRaw(b, n)
			body := strings.Repeat("x", 256)
			b.ReportAllocs()
			for b.Loop() {
				c.append("pony-1", body)
			}
		})
	}
}
