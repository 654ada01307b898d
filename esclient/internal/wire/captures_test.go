package wire_test

import (
	"bytes"
	"testing"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// incomplete are recorded requests that leave out what every real client sends, to see what a server does. They decode
// like all others, but encoders write these fields, so that the bytes cannot come back.
var incomplete = map[string]int{
	"111-garbage-payload:WriteEvents": 1, // an empty payload
}

// TestCaptures decodes every recorded payload, compares it with the recording's own description, and encodes it again
// to the same bytes.
func TestCaptures(t *testing.T) {
	t.Parallel()
	decoded, unequal := 0, map[string]int{}
	for _, c := range wiretest.Conversations(t) {
		for i := range c.Lines {
			l := &c.Lines[i]
			p, ok := l.Package(t)
			if !ok {
				continue
			}
			m := newMessage(p.Command)
			if m == nil {
				continue
			}
			err := m.Decode(p.Payload)
			if l.Decoded == nil && len(p.Payload) > 0 {
				continue // the recorder could not read it either; no panic is what counts
			}
			if err != nil {
				t.Errorf("%s:%d: %v: %v", c.Name, l.Number, p.Command, err)
				continue
			}
			decoded++
			where := c.Name + ":" + p.Command.String()
			diffFields(t, where, fieldsOf(m), l.Decoded)
			if got := m.Append(nil); !bytes.Equal(got, p.Payload) {
				unequal[where]++
				if incomplete[where] == 0 {
					t.Errorf("%s:%d: %v: encoded again\ngot  %x\nwant %x", c.Name, l.Number, p.Command, got, p.Payload)
				}
			}
		}
	}
	if decoded < 3000 {
		t.Errorf("decoded %d payloads, want at least 3000", decoded)
	}
	for where, want := range incomplete {
		if unequal[where] != want {
			t.Errorf("%s: %d payloads are encoded differently, want %d", where, unequal[where], want)
		}
	}
}

// TestCaptureFrames sends every recorded package through the framing and back.
func TestCaptureFrames(t *testing.T) {
	t.Parallel()
	for _, c := range wiretest.Conversations(t) {
		var stream []byte
		var sent []wire.Package
		for i := range c.Lines {
			if p, ok := c.Lines[i].Package(t); ok {
				stream = wire.AppendPackage(stream, &p)
				sent = append(sent, p)
			}
		}
		r := wire.NewReader(bytes.NewReader(stream), 0, nil)
		for i, want := range sent {
			got, err := r.Next()
			if err != nil {
				t.Fatalf("%s: package %d: %v", c.Name, i, err)
			}
			if got.Command != want.Command || got.Correlation != want.Correlation || got.Auth != want.Auth ||
				!bytes.Equal(got.Payload, want.Payload) {
				t.Fatalf("%s: package %d: got %+v, want %+v", c.Name, i, got, want)
			}
		}
	}
}
