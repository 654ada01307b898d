package esnode

import "sync"

// maxPooled is the largest buffer that is kept for reuse.
const maxPooled = 4 << 20

// buffers holds buffers for frames. It is shared, since a node lives only as long as its process or its test.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, smallSegment+4<<10); return &b }}

func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func putBuffer(b []byte) {
	if cap(b) <= maxPooled {
		b = b[:0]
		buffers.Put(&b)
	}
}
