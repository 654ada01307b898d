package eventlog

import (
	"io"
	"sync"
)

// storage holds the bytes of the log, the header included. Append has one caller at a time; ReadAt may be called
// by many, for bytes that were appended.
type storage interface {
	ReadAt(p []byte, off int64) (int, error)
	Append(p []byte) error
	Sync() error
	Close() error
}

const memoryChunk = 1 << 20

// memory is storage that ends with the process. It grows by chunks, so that nothing is ever copied.
type memory struct {
	mu     sync.RWMutex
	chunks [][]byte
	size   int64
}

func newMemory() *memory {
	m := &memory{}
	_ = m.Append(newHeader()) // so that positions are the same as in a file
	return m
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if off >= m.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > m.size-off
	if short {
		p = p[:m.size-off]
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		done += copy(p[done:], m.chunks[at/memoryChunk][at%memoryChunk:])
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

// view returns bytes without a copy, if they lie in one chunk. What was appended never changes.
func (m *memory) view(off int64, n int) ([]byte, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n = int(min(int64(n), m.size-off))
	at := int(off % memoryChunk)
	if n < 0 || at+n > memoryChunk {
		return nil, false
	}
	return m.chunks[off/memoryChunk][at : at+n : at+n], true
}

func (m *memory) Append(p []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(p) > 0 {
		at := int(m.size % memoryChunk)
		if at == 0 {
			m.chunks = append(m.chunks, make([]byte, memoryChunk))
		}
		n := copy(m.chunks[len(m.chunks)-1][at:], p)
		m.size += int64(n)
		p = p[n:]
	}
	return nil
}

func (m *memory) Sync() error  { return nil }
func (m *memory) Close() error { return nil }
