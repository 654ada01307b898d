package esnode

import "sync"

// maxPooled is the largest buffer that is kept for reuse.
const maxPooled = 4 << 20

// buffers keeps buffers for frames.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, smallSegment+4<<10)
}

func (b *buffers) put(buf []byte) {
	if cap(buf) <= maxPooled {
		buf = buf[:0]
		b.pool.Put(&buf)
	}
}
