package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// fuzzDecoder feeds a decoder. It must not panic, and what it accepts must survive encoding and decoding.
func fuzzDecoder(f *testing.F, cmd wire.Command) {
	f.Helper()
	seeds := 0
	for _, c := range wiretest.Conversations(f) {
		for i := range c.Lines {
			if p, ok := c.Lines[i].Package(f); ok && p.Command == cmd && seeds < 100 {
				f.Add(p.Payload)
				seeds++
			}
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		m := newMessage(cmd)
		if m.Decode(p) != nil {
			return
		}
		once := m.Append(nil)
		again := newMessage(cmd)
		if err := again.Decode(once); err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Fatalf("not stable\nonce  %x\ntwice %x", once, twice)
		}
	})
}

func FuzzWriteEvents(f *testing.F)          { fuzzDecoder(f, wire.WriteEvents) }
func FuzzWriteEventsCompleted(f *testing.F) { fuzzDecoder(f, wire.WriteEventsCompleted) }
func FuzzTransactionWrite(f *testing.F)     { fuzzDecoder(f, wire.TransactionWrite) }
func FuzzReadEventCompleted(f *testing.F)   { fuzzDecoder(f, wire.ReadEventCompleted) }
func FuzzStreamPage(f *testing.F)           { fuzzDecoder(f, wire.ReadStreamEventsForwardCompleted) }
func FuzzAllPage(f *testing.F)              { fuzzDecoder(f, wire.ReadAllEventsForwardCompleted) }
func FuzzFilteredPage(f *testing.F)         { fuzzDecoder(f, wire.FilteredReadAllEventsForwardCompleted) }
func FuzzStreamEventAppeared(f *testing.F)  { fuzzDecoder(f, wire.StreamEventAppeared) }
func FuzzPersistentEventAppeared(f *testing.F) {
	fuzzDecoder(f, wire.PersistentSubscriptionStreamEventAppeared)
}

// FuzzReader feeds the framing, and every payload that comes out to the decoder of its command.
func FuzzReader(f *testing.F) {
	for _, c := range wiretest.Conversations(f) {
		var stream []byte
		for i := range c.Lines {
			if p, ok := c.Lines[i].Package(f); ok {
				stream = wire.AppendPackage(stream, &p)
			}
		}
		f.Add(stream[:min(len(stream), 4096)])
	}
	f.Fuzz(func(_ *testing.T, stream []byte) {
		r := wire.NewReader(bytes.NewReader(stream), 1<<20, nil)
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			if m := newMessage(p.Command); m != nil {
				_ = m.Decode(p.Payload)
			}
		}
	})
}

// TestNestedLengths covers messages whose length takes one, two and three bytes.
func TestNestedLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 10, 60, 127, 128, 129, 16300, 16383, 16384, 20000, 1 << 21, 1<<21 + 100} {
		want := wire.WriteEventsBody{Stream: "s", Events: []wire.Event{
			{ID: goldenEID[:], Type: []byte("T"), Data: bytes.Repeat([]byte("d"), n)},
			{ID: goldenEID[:], Type: []byte("U"), Data: []byte("x")},
		}}
		var got wire.WriteEventsBody
		if err := got.Decode(want.Append(nil)); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if len(got.Events) != 2 || !bytes.Equal(got.Events[0].Data, want.Events[0].Data) || string(got.Events[1].Type) != "U" {
			t.Errorf("%d bytes: got %d events", n, len(got.Events))
		}
		r := wire.Record{Stream: []byte("s"), ID: goldenEID[:], Data: want.Events[0].Data}
		enc := wire.EncodedEvent{Event: r.Append(nil), Positions: true, Commit: -1, Prepare: 300}
		if got := enc.Append(nil); len(got) != enc.Size() {
			t.Errorf("%d bytes: size %d, appended %d", n, enc.Size(), len(got))
		}
		res := wire.Resolved{HasEvent: true, Event: r, Positions: true, Commit: -1, Prepare: 300}
		if a, b := enc.AppendField(nil, 3), res.AppendField(nil, 3); !bytes.Equal(a, b) {
			t.Errorf("%d bytes: encoded in advance differs", n)
		}
	}
}

// TestUnknownFields adds fields of every wire type that no message has.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	want := wire.StreamPage{Next: 5, Last: 4, EndOfStream: true}
	p := protowire.AppendVarint(protowire.AppendTag(nil, 90, protowire.VarintType), 1)
	p = protowire.AppendFixed32(protowire.AppendTag(p, 91, protowire.Fixed32Type), 1)
	p = protowire.AppendFixed64(protowire.AppendTag(p, 92, protowire.Fixed64Type), 1)
	p = protowire.AppendTag(p, 93, protowire.StartGroupType)
	p = protowire.AppendTag(p, 93, protowire.EndGroupType)
	p = want.AppendTail(protowire.AppendString(protowire.AppendTag(p, 94, protowire.BytesType), "x"))
	var got wire.StreamPage
	if err := got.Decode(p); err != nil || got.Next != 5 || got.Last != 4 || !got.EndOfStream {
		t.Errorf("got %+v, %v", got, err)
	}
}
