package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// packages of many sizes, around those at which the reader changes its way.
func packages() (all []wire.Package) {
	for _, n := range []int{0, 1, 100, 4 << 10, 64<<10 - 23, 64<<10 - 22, 64<<10 - 21, 64 << 10, 1<<20 - 18, 1 << 20, 5<<20 + 3} {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(i * 7)
		}
		all = append(all, wire.Package{Command: wire.Ping, Correlation: goldenID, Payload: payload})
	}
	return all
}

func TestReaderSizes(t *testing.T) {
	t.Parallel()
	var stream []byte
	sent := packages()
	for i := range sent {
		stream = wire.AppendPackage(stream, &sent[i])
	}
	sources := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"half":  iotest.HalfReader,
		"err":   iotest.DataErrReader,
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := wire.NewReader(source(bytes.NewReader(stream)), 0, new(wire.Pool))
			for i := range sent {
				got, err := r.Next()
				if err != nil {
					t.Fatalf("package %d: %v", i, err)
				}
				if !bytes.Equal(got.Payload, sent[i].Payload) {
					t.Fatalf("package %d: payload of %d bytes differs", i, len(got.Payload))
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("at the end: got %v, want io.EOF", err)
			}
			if r.Received() != int64(len(stream)) {
				t.Errorf("received %d bytes, want %d", r.Received(), len(stream))
			}
		})
	}
}

func TestReaderByteByByte(t *testing.T) {
	t.Parallel()
	var stream []byte
	sent := packages()[:4]
	for i := range sent {
		stream = wire.AppendPackage(stream, &sent[i])
	}
	r := wire.NewReader(iotest.OneByteReader(bytes.NewReader(stream)), 0, nil)
	for i := range sent {
		got, err := r.Next()
		if err != nil || !bytes.Equal(got.Payload, sent[i].Payload) {
			t.Fatalf("package %d: %v, %d bytes", i, err, len(got.Payload))
		}
	}
}

// TestReaderCut cuts a stream of frames at every byte: whole packages come, then an error that tells whether the cut was
// inside one.
func TestReaderCut(t *testing.T) {
	t.Parallel()
	p := wire.Package{Command: wire.Ping, Correlation: goldenID, Payload: []byte("hello")}
	one := wire.AppendPackage(nil, &p)
	stream := bytes.Repeat(one, 3)
	for cut := range len(stream) {
		r := wire.NewReader(bytes.NewReader(stream[:cut]), 0, nil)
		n := 0
		var err error
		for {
			if _, err = r.Next(); err != nil {
				break
			}
			n++
		}
		want := io.ErrUnexpectedEOF
		if cut%len(one) == 0 {
			want = io.EOF
		}
		if n != cut/len(one) || err != want {
			t.Errorf("cut at %d: got %d packages and %v, want %d and %v", cut, n, err, cut/len(one), want)
		}
	}
}

// TestDetach keeps payloads while the reader goes on and reuses its buffers.
func TestDetach(t *testing.T) {
	t.Parallel()
	var stream []byte
	sent := packages()
	for i := range sent {
		stream = wire.AppendPackage(stream, &sent[i])
	}
	r := wire.NewReader(bytes.NewReader(stream), 0, new(wire.Pool))
	var kept []wire.Package
	for range sent {
		p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		r.Detach(&p)
		kept = append(kept, p)
	}
	for i, p := range kept {
		if !bytes.Equal(p.Payload, sent[i].Payload) {
			t.Errorf("package %d: detached payload changed", i)
		}
	}
}

func TestReaderErrors(t *testing.T) {
	t.Parallel()
	length := func(n int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	tests := []struct {
		name  string
		bytes []byte
		is    error
		says  string
	}{
		{"zero", length(0), wire.ErrFrame, "length 0, want 1 to 67108864"},
		{"negative", length(-5), wire.ErrFrame, "length -5"},
		{"too long", length(64<<20 + 1), wire.ErrFrame, "length 67108865"},
		{"http answer", []byte("HTTP/1.1 400 Bad Request\r\n"), wire.ErrFrame, "this is the HTTP port"},
		{"http request", []byte("GET /gossip HTTP/1.1\r\n"), wire.ErrFrame, "an HTTP request"},
		{"http2", []byte("PRI * HTTP/2.0\r\n"), wire.ErrFrame, "gRPC"},
		{"tls alert", []byte{0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50}, wire.ErrFrame, "use tls://"},
		{"short package", append(length(3), 1, 2, 3), wire.ErrMalformed, "3 bytes"},
		{"cut auth", append(append(length(19), 0xF2, 1), make([]byte, 17)...), wire.ErrMalformed, "password"},
		{"cut header", length(64 << 20), io.ErrUnexpectedEOF, "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.NewReader(bytes.NewReader(tt.bytes), 0, nil).Next()
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
}

// TestReaderTrustsNoLength announces the longest frame and sends little: memory must follow what arrives.
func TestReaderTrustsNoLength(t *testing.T) {
	t.Parallel()
	stream := append(binary.LittleEndian.AppendUint32(nil, 64<<20), make([]byte, 100)...)
	src := &greedy{src: bytes.NewReader(stream)}
	if _, err := wire.NewReader(src, 0, nil).Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
	}
	if src.room > 1<<20 {
		t.Errorf("room for %d bytes was made for a frame of which 100 bytes came", src.room)
	}
}

// greedy remembers the largest buffer it was asked to fill.
type greedy struct {
	src  io.Reader
	room int
}

func (g *greedy) Read(p []byte) (int, error) {
	g.room = max(g.room, cap(p))
	return g.src.Read(p)
}

func TestAuthValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	for _, a := range []wire.Auth{{Login: long}, {Login: "a", Password: long}, {Login: "a", Token: "t"}, {Token: strings.Repeat("x", 32766)}} {
		if a.Validate() == nil {
			t.Errorf("credentials of %d, %d, %d bytes are accepted", len(a.Login), len(a.Password), len(a.Token))
		}
	}
	for _, a := range []wire.Auth{{}, {Login: "a"}, {Login: "admin", Password: "changeit"}, {Token: "t"}} {
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
		p := wire.Package{Command: wire.Ping, Auth: a, Payload: []byte("x")}
		got, err := wire.ParsePackage(wire.AppendPackage(nil, &p)[4:])
		if err != nil || got.Auth != a || string(got.Payload) != "x" {
			t.Errorf("got %+v %v, want %+v", got, err, a)
		}
	}
}

func TestCommandString(t *testing.T) {
	t.Parallel()
	if got := wire.ReadStreamEventsForward.String(); got != "ReadStreamEventsForward" {
		t.Error(got)
	}
	if got := wire.Command(0x99).String(); got != "command 0x99" || wire.Command(0x99).Known() {
		t.Error(got)
	}
}
