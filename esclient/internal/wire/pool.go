package wire

import (
	"math/bits"
	"sync"
)

// Pool keeps buffers of large frames for the next ones. A nil pool makes buffers and keeps none.
// It is safe for concurrent use.
type Pool struct {
	classes [poolClasses]sync.Pool
}

// Buffers of minPooled bytes up to minPooled<<(poolClasses-1) are kept, in powers of two. Longer ones are left to the
// garbage collector: they are rare, and would be held for nothing.
const (
	minPooled   = 4 << 10
	poolClasses = 9
)

// Get returns a buffer of n bytes, with any content.
func (p *Pool) Get(n int) []byte {
	c := class(n)
	if p == nil || c >= poolClasses {
		return make([]byte, n)
	}
	if b, ok := p.classes[c].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, n, minPooled<<c)
}

// Put takes back a buffer that nobody uses any more. Only buffers from Get are kept.
func (p *Pool) Put(b []byte) {
	n := cap(b)
	c := class(n)
	if p == nil || c >= poolClasses || n != minPooled<<c {
		return
	}
	b = b[:n]
	p.classes[c].Put(&b)
}

// class returns the index of the smallest kept size that holds n bytes.
func class(n int) int {
	if n <= minPooled {
		return 0
	}
	return bits.Len(uint((n - 1) / minPooled))
}
