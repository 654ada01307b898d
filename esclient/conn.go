package esclient

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// writeSize is how many bytes are gathered before they are written although more is waiting.
const writeSize = 64 << 10

// conn is one connection. Once it is dead it stays so.
type conn struct {
	core     *core
	net      net.Conn
	reader   *wire.Reader
	endpoint Endpoint
	log      *slog.Logger

	lastRead atomic.Int64 // when something arrived last, in ns since the connection was made
	born     time.Time
	useful   atomic.Bool // it has answered an operation
	closing  atomic.Bool // it ends once everything is written
	wg       sync.WaitGroup

	mu     sync.Mutex
	queue  []item
	dirty  []*acker // have acks to be sent
	err    error    // why it died; nil = alive
	wake   chan struct{}
	dead   chan struct{} // closed when it died
	writer []byte
}

// item is a frame to be written, of an op, or one that nobody waits for.
type item struct {
	op    *op // nil = nobody
	frame []byte
}

// Read counts as a sign of life, be it a part of a frame.
func (cn *conn) Read(p []byte) (int, error) {
	n, err := cn.net.Read(p)
	if n > 0 {
		cn.lastRead.Store(int64(time.Since(cn.born)))
		cn.core.received.Add(int64(n))
	}
	return n, err
}

// start begins to read and write. Both goroutines end when the connection dies; stopped waits for them.
func (cn *conn) start() {
	cn.wg.Go(cn.readLoop)
	cn.wg.Go(cn.writeLoop)
}

func (cn *conn) stopped() { cn.wg.Wait() }

// fail ends the connection. The first error wins.
func (cn *conn) fail(err error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.err != nil {
		return
	}
	cn.err = err
	close(cn.dead)
	_ = cn.net.Close() // whatever it says, it is of no use any more
}

// drainTimeout is how long a client that is closed takes to write what is left, such as acks.
const drainTimeout = 250 * time.Millisecond

// finish ends the connection once everything is written.
func (cn *conn) finish() {
	if err := cn.net.SetWriteDeadline(time.Now().Add(drainTimeout)); err != nil {
		cn.fail(ErrClosed)
		return
	}
	cn.closing.Store(true)
	cn.signal()
}

// cause says why the connection died.
func (cn *conn) cause() error {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.err
}

func (cn *conn) enqueue(it item) {
	cn.mu.Lock()
	cn.queue = append(cn.queue, it)
	first := len(cn.queue) == 1
	cn.mu.Unlock()
	if first {
		cn.signal()
	}
}

func (cn *conn) signal() {
	select {
	case cn.wake <- struct{}{}:
	default:
	}
}

// readLoop hands on what arrives. It never blocks on anybody but the peer.
func (cn *conn) readLoop() {
	var p wire.Package
	for {
		var err error
		if p, err = cn.reader.Next(); err == nil {
			err = cn.core.receive(cn, &p)
		}
		if err != nil {
			cn.fail(err)
			return
		}
	}
}

// writeLoop gathers what is queued, and writes when the queue is empty or writeSize is reached: one system call for as
// many requests as there are, and no delay for a single one.
func (cn *conn) writeLoop() {
	var queue []item
	var dirty []*acker
	for {
		cn.mu.Lock()
		queue, cn.queue = cn.queue, queue[:0]
		dirty, cn.dirty = cn.dirty, dirty[:0]
		dead := cn.err != nil
		cn.mu.Unlock()
		if dead {
			return
		}
		if len(queue) == 0 && len(dirty) == 0 {
			if cn.closing.Load() {
				cn.fail(ErrClosed)
				return
			}
			select {
			case <-cn.wake:
			case <-cn.dead:
			}
			continue
		}
		if err := cn.write(queue, dirty); err != nil {
			cn.fail(err)
			return
		}
		clear(queue)
		clear(dirty)
	}
}

func (cn *conn) write(queue []item, dirty []*acker) error {
	buf := cn.writer[:0]
	for _, a := range dirty { // first, so that whoever asks for an answer after an ack knows that it was seen
		buf = a.appendFrames(buf)
	}
	for _, it := range queue {
		if it.op != nil && !it.op.state.CompareAndSwap(opQueued, opSent) {
			continue // ended meanwhile
		}
		frame := it.frame
		if len(buf) > 0 && len(buf)+len(frame) > writeSize {
			if err := cn.flush(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		if len(frame) > writeSize {
			if err := cn.flush(frame); err != nil {
				return err
			}
			continue
		}
		buf = append(buf, frame...)
	}
	cn.writer = buf
	if len(buf) == 0 {
		return nil
	}
	return cn.flush(buf)
}

func (cn *conn) flush(b []byte) error {
	n, err := cn.net.Write(b)
	cn.core.sentBytes.Add(int64(n))
	return err
}
