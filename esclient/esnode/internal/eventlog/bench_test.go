package eventlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkOpen opens a log of 100,000 events, and for comparison only reads its file.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		list := make([]Event, 100)
		for j := range list {
			list[j] = event(fmt.Sprint(i, "-", j))
			list[j].Data = []byte(strings.Repeat("x", 256))
		}
		l.appendSync(fmt.Sprint("s-", i%50), ExpectAny, list)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			l, err := Open(Options{Dir: dir})
			if err != nil {
				b.Fatal(err)
			}
			_ = l.Close()
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			if _, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadStream reads pages of 500 events.
func BenchmarkReadStream(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			l := open(b, Options{Dir: dir})
			for i := range 20 {
				list := make([]Event, 500)
				for j := range list {
					list[j] = event(fmt.Sprint(i, "-", j))
					list[j].Data = []byte(strings.Repeat("x", 256))
				}
				l.appendSync("s", ExpectAny, list)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := l.ReadStream("s", int64(i%20*500), 500, false, false)
				if len(p.Events) != 500 {
					b.Fatal(p.Err)
				}
				p.Release()
			}
			b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
