package wire_test

import (
	"bytes"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// page500 is a page of 500 events with 256 bytes of data and 64 of metadata.
func page500() []byte {
	r := wire.Record{
		Stream: []byte("ponies-0001"), ID: goldenEID[:], Type: []byte("pony.jumped"), ContentType: 1, MetadataContentType: 1,
		Data: bytes.Repeat([]byte("d"), 256), Metadata: bytes.Repeat([]byte("m"), 64),
		CreatedTicks: 638000000000000000, CreatedMillis: 1700000000000,
	}
	m := wire.StreamPage{Next: 500, Last: 999999, LastCommit: 1 << 30}
	for i := range 500 {
		r.Number = int64(i)
		m.Events = append(m.Events, wire.Resolved{HasEvent: true, Event: r})
	}
	return m.Append(nil)
}

func BenchmarkStreamPageDecode(b *testing.B) {
	p := page500()
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	var m wire.StreamPage
	sum := int64(0)
	for b.Loop() {
		if err := m.DecodeHead(p); err != nil {
			b.Fatal(err)
		}
		it := wire.ScanEvents(p, 1)
		for e := (wire.Resolved{}); it.Next(&e); {
			sum += e.Event.Number
		}
		if it.Err() != nil {
			b.Fatal(it.Err())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}

func BenchmarkStreamPageEncode(b *testing.B) {
	var m wire.StreamPage
	if err := m.Decode(page500()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = m.Append(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}

func BenchmarkStreamPageEncoded(b *testing.B) {
	var m wire.StreamPage
	if err := m.Decode(page500()); err != nil {
		b.Fatal(err)
	}
	var events []wire.EncodedEvent
	for i := range m.Events {
		events = append(events, wire.EncodedEvent{Event: m.Events[i].Event.Append(nil)})
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = dst[:0]
		for i := range events {
			dst = events[i].AppendField(dst, 1)
		}
		dst = m.AppendTail(dst)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/event")
}

func BenchmarkWriteEvents(b *testing.B) {
	m := wire.WriteEventsBody{Stream: "ponies-0001", ExpectedVersion: -2, RequireLeader: true, Events: []wire.Event{{
		ID: goldenEID[:], Type: []byte("pony.jumped"), ContentType: 1,
		Data: bytes.Repeat([]byte("d"), 256), Metadata: bytes.Repeat([]byte("m"), 64),
	}}}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = m.Append(dst[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		p := m.Append(nil)
		var got wire.WriteEventsBody
		for b.Loop() {
			if err := got.Decode(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	pages := wire.AppendPackage(nil, &wire.Package{Command: wire.ReadStreamEventsForwardCompleted, Payload: page500()})
	small := wire.AppendPackage(nil, &wire.Package{Command: wire.WriteEventsCompleted, Payload: make([]byte, 12)})
	for name, frame := range map[string][]byte{"page": pages, "small": small} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			src := &repeat{frame: frame}
			r := wire.NewReader(src, 0, new(wire.Pool))
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// repeat is an endless reader of one frame.
type repeat struct {
	frame []byte
	at    int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.frame[r.at:])
		n += m
		r.at = (r.at + m) % len(r.frame)
	}
	return n, nil
}
