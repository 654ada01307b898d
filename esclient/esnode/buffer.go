package esnode

import "sync"

const (
	// maxPooled is the largest buffer that is kept for reuse.
	maxPooled = 4 << 20

	// maxSmall is the largest buffer for small frames: those wait for slow clients in it, so it must not be much larger than
	// what is in it.
	maxSmall = 2 * smallSegment
)

// buffers keeps buffers for frames.
type buffers struct{ small, large sync.Pool }

// get returns a buffer for a frame of any size.
func (b *buffers) get() []byte {
	if kept, ok := b.large.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return b.getSmall()
}

// getSmall returns a buffer for small frames.
func (b *buffers) getSmall() []byte {
	if kept, ok := b.small.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, smallSegment+4<<10)
}

func (b *buffers) put(buf []byte) {
	buf = buf[:0]
	switch {
	case cap(buf) <= maxSmall:
		b.small.Put(&buf)
	case cap(buf) <= maxPooled:
		b.large.Put(&buf)
	}
}
