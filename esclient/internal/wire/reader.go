package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxFrame is the longest package that servers and other clients accept, in bytes.
const DefaultMaxFrame = 64 << 20

// readBuffer is how many bytes a [Reader] asks for at once. Frames that fit are parsed in place.
const readBuffer = 64 << 10

// ErrFrame is what a *[FrameError] is.
var ErrFrame = errors.New("invalid frame")

// FrameError is a length in front of a package that cannot be one. The connection is of no use any more.
type FrameError struct {
	Prefix [4]byte // the bytes in place of the length
	Max    int     // longest package accepted
}

func (e *FrameError) Error() string {
	n := int32(binary.LittleEndian.Uint32(e.Prefix[:]))
	if why := e.explain(); why != "" {
		return fmt.Sprintf("%v: the length bytes % x %s", ErrFrame, e.Prefix[:], why)
	}
	return fmt.Sprintf("%v: length %d, want 1 to %d", ErrFrame, n, e.Max)
}

// Is makes errors.Is(err, ErrFrame) true.
func (e *FrameError) Is(target error) bool { return target == ErrFrame }

// explain recognises the other protocols that people connect to by mistake.
func (e *FrameError) explain() string {
	switch s := string(e.Prefix[:]); {
	case s == "HTTP":
		return `are "HTTP": this is the HTTP port; use the TCP port, 1113 by default`
	case s == "GET " || s == "POST" || s == "PUT " || s == "HEAD" || s == "DELE" || s == "OPTI":
		return fmt.Sprintf("are %q: an HTTP request was sent to the TCP port", s)
	case s == "PRI ":
		return `are "PRI ": an HTTP/2 or gRPC client connected to the TCP port`
	case e.Prefix[0] == 0x15 && e.Prefix[1] == 0x03:
		return "are a TLS alert: this port speaks TLS; use tls:// instead of tcp://"
	case e.Prefix[0] == 0x16 && e.Prefix[1] == 0x03:
		return "are a TLS handshake: the other side speaks TLS to a plain port"
	case s == "SSH-":
		return `are "SSH-": this is an SSH server`
	}
	return ""
}

// Reader reads packages from a connection. It is used by one goroutine at a time.
type Reader struct {
	src        io.Reader
	max        int
	buf        []byte
	start, end int    // of what is in buf and not returned yet
	large      []byte // holds the last frame if that did not fit into buf
	detached   bool   // large belongs to somebody else
	pool       *Pool
	received   int64
}

// NewReader returns a reader of src that refuses packages longer than maxFrame bytes, 0 meaning [DefaultMaxFrame].
// Buffers of frames that do not fit into its own come from pool, nil meaning that they are made.
func NewReader(src io.Reader, maxFrame int, pool *Pool) *Reader {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Reader{src: src, max: maxFrame, buf: make([]byte, readBuffer), pool: pool}
}

// Next reads one package. Its payload is valid until the next call, unless it is detached.
// The error is io.EOF at the end between two frames, io.ErrUnexpectedEOF inside one, a *[FrameError] for an absurd
// length, [ErrMalformed] for a package that is not one (the next package may be read then), or what src returned.
func (r *Reader) Next() (Package, error) {
	r.recycle()
	if err := r.fill(lengthSize); err != nil {
		return Package{}, err
	}
	prefix := [4]byte(r.buf[r.start:])
	n := int(int32(binary.LittleEndian.Uint32(prefix[:])))
	if n < 1 || n > r.max || r.tlsAlert(prefix) {
		return Package{}, &FrameError{Prefix: prefix, Max: r.max}
	}
	if lengthSize+n > len(r.buf) {
		return r.nextLarge(n)
	}
	if err := r.fill(lengthSize + n); err != nil {
		return Package{}, unexpected(err)
	}
	body := r.buf[r.start+lengthSize : r.start+lengthSize+n : r.start+lengthSize+n]
	r.start += lengthSize + n
	return ParsePackage(body)
}

// Detach gives the payload of the last package away: it stays valid after the next call of Next. The receiver may hand
// the buffer that comes with it to [Pool.Put] when done with the payload.
func (r *Reader) Detach(p *Package) (buffer []byte) {
	if r.large != nil {
		r.detached = true
		return r.large
	}
	buffer = r.pool.Get(len(p.Payload))
	copy(buffer, p.Payload)
	p.Payload = buffer
	return buffer
}

// Buffered returns how many bytes were received and not returned yet.
func (r *Reader) Buffered() int { return r.end - r.start }

// Received returns how many bytes were read from the connection so far.
func (r *Reader) Received() int64 { return r.received }

// tlsAlert recognises the answer of a TLS port to plain bytes, whose length would be a valid one: 15 03 0x 00, then 02
// for its own length and a level of 1 or 2. As a package it would be a heartbeat of 64 KiB or more, which nobody sends.
func (r *Reader) tlsAlert(prefix [4]byte) bool {
	if prefix[0] != 0x15 || prefix[1] != 0x03 || prefix[3] != 0 || r.fill(lengthSize+2) != nil {
		return false
	}
	rest := r.buf[r.start+lengthSize:]
	return rest[0] == 0x02 && (rest[1] == 1 || rest[1] == 2)
}

// nextLarge reads the body of a frame that does not fit into the buffer straight to where it stays. The buffer grows
// with what arrives, so that a length alone does not make it allocate.
func (r *Reader) nextLarge(n int) (Package, error) {
	r.start += lengthSize
	const step = 1 << 20
	r.large = r.pool.Get(min(n, step))
	got := copy(r.large, r.buf[r.start:r.end])
	r.start += got
	for {
		m, err := io.ReadFull(r.src, r.large[got:])
		got += m
		r.received += int64(m)
		if err != nil {
			return Package{}, unexpected(err)
		}
		if got == n {
			return ParsePackage(r.large)
		}
		grown := r.pool.Get(min(n, 4*got))
		copy(grown, r.large)
		r.pool.Put(r.large)
		r.large = grown
	}
}

func (r *Reader) recycle() {
	if r.large == nil {
		return
	}
	if !r.detached {
		r.pool.Put(r.large)
	}
	r.large, r.detached = nil, false
}

// fill reads until there are n bytes in the buffer.
func (r *Reader) fill(n int) error {
	if r.end-r.start >= n {
		return nil
	}
	if r.start > 0 && (r.start == r.end || r.start+n > len(r.buf)) {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	for r.end-r.start < n {
		m, err := r.src.Read(r.buf[r.end:])
		r.end += m
		r.received += int64(m)
		if err != nil && r.end-r.start < n {
			if errors.Is(err, io.EOF) && r.end > r.start {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
