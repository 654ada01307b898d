package esnode

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

const (
	// smallSegment is where a segment of small frames is handed to the writer.
	smallSegment = 64 << 10
	// writeBurst bounds what one call of the kernel writes.
	writeBurst = 1 << 20
	// flushTime bounds how long the last bytes of a connection may take.
	flushTime = time.Second
)

// body is a payload that can append itself.
type body interface{ Append(dst []byte) []byte }

// segment is bytes to send, of whole frames.
type segment struct {
	bytes  []byte
	frames int
	pooled bool
}

// outbox holds what a connection has to send. Everyone may add to it without waiting; its owner, the writer goroutine of
// the connection, takes it out. It is bounded: who reads too slowly is disconnected.
type outbox struct {
	limits  ClientSocket
	buffers *buffers
	wake    chan struct{}

	mu      sync.Mutex
	open    segment   // of small frames, still growing
	ready   []segment // before open
	added   int64     // frames so far
	queued  int       // frames that were not written yet
	pending int       // bytes that were not written yet
	finish  bool      // no more frames are taken; the writer closes the connection once it has sent the others
	dead    bool      // nothing is sent any more
	stalled bool      // nothing is sent any more, and the connection stays open
}

func newOutbox(limits ClientSocket, b *buffers) *outbox {
	return &outbox{limits: limits, buffers: b, wake: make(chan struct{}, 1)}
}

// add appends one frame and reports whether there was room for it.
func (o *outbox) add(cmd Command, id wire.CorrelationID, b body) bool {
	o.mu.Lock()
	if o.finish || o.dead {
		o.mu.Unlock()
		return true
	}
	if o.full() {
		o.mu.Unlock()
		return false
	}
	o.begin()
	before := len(o.open.bytes)
	frame, start := wire.BeginFrame(o.open.bytes, wire.Command(cmd), 0, id, wire.Auth{})
	if b != nil {
		frame = b.Append(frame)
	}
	o.open.bytes = wire.EndFrame(frame, start)
	o.count(len(o.open.bytes)-before, 1)
	o.open.frames++
	if len(o.open.bytes) >= smallSegment {
		o.shut()
	}
	o.mu.Unlock()
	o.signal()
	return true
}

// addBytes appends frames that were built elsewhere, and takes the slice over. It reports whether there was room.
func (o *outbox) addBytes(b []byte, pooled bool) bool {
	o.mu.Lock()
	if o.finish || o.dead {
		o.mu.Unlock()
		return true
	}
	if o.full() {
		o.mu.Unlock()
		return false
	}
	o.count(len(b), 1)
	if len(b) < smallSegment/2 { // what waits should not take much more memory than is counted
		o.begin()
		o.open.bytes = append(o.open.bytes, b...)
		o.open.frames++
		if pooled {
			o.buffers.put(b)
		}
		if len(o.open.bytes) >= smallSegment {
			o.shut()
		}
	} else {
		o.shut()
		if pooled && cap(b) > 4*len(b) {
			whole := b
			b, pooled = bytes.Clone(whole), false
			o.buffers.put(whole)
		}
		o.ready = append(o.ready, segment{bytes: b, frames: 1, pooled: pooled})
	}
	o.mu.Unlock()
	o.signal()
	return true
}

// begin makes sure that there is an open segment.
func (o *outbox) begin() {
	if o.open.bytes == nil {
		o.open = segment{bytes: o.buffers.getSmall(), pooled: true}
	}
}

func (o *outbox) full() bool { return o.queued > o.limits.MaxQueued || o.pending > o.limits.MaxPending }

func (o *outbox) count(bytes, frames int) {
	o.pending += bytes
	o.queued += frames
	o.added += int64(max(frames, 0))
}

// total returns how many frames were added so far.
func (o *outbox) total() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.added
}

// shut moves the open segment behind the others.
func (o *outbox) shut() {
	if len(o.open.bytes) > 0 {
		o.ready = append(o.ready, o.open)
		o.open = segment{}
	}
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// end takes no more frames; the writer sends what is there and closes the connection.
func (o *outbox) end() {
	o.mu.Lock()
	o.finish = true
	o.mu.Unlock()
	o.signal()
}

// stall sends nothing more, and leaves the connection open.
func (o *outbox) stall() {
	o.mu.Lock()
	o.stalled = true
	o.mu.Unlock()
}

// kill throws everything away.
func (o *outbox) kill() {
	o.mu.Lock()
	o.dead, o.ready, o.open = true, nil, segment{}
	o.mu.Unlock()
	o.signal()
}

// take moves what is to be written next into dst. last says that nothing will follow.
func (o *outbox) take(dst []segment) (out []segment, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return dst, true
	}
	if o.stalled {
		return dst, o.finish
	}
	o.shut()
	size := 0
	for len(o.ready) > 0 && size < writeBurst {
		dst = append(dst, o.ready[0])
		size += len(o.ready[0].bytes)
		o.ready[0] = segment{}
		o.ready = o.ready[1:]
	}
	if len(o.ready) == 0 {
		o.ready = nil
	}
	return dst, o.finish && len(o.ready) == 0
}

// wrote says that these segments have left.
func (o *outbox) wrote(segments []segment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range segments {
		o.count(-len(segments[i].bytes), -segments[i].frames)
	}
}

// run writes until the connection fails, is killed or has sent all after end. The writer goroutine calls it.
func (o *outbox) run(nc net.Conn) {
	var batch []segment
	var vector net.Buffers
	for {
		var last bool
		batch, last = o.take(batch[:0])
		if len(batch) == 0 {
			if last {
				return
			}
			<-o.wake
			continue
		}
		if last {
			_ = nc.SetWriteDeadline(time.Now().Add(flushTime)) // a connection without deadlines is closed by its reader
		}
		vector = vector[:0]
		for i := range batch {
			vector = append(vector, batch[i].bytes)
		}
		err := writeAll(nc, vector)
		o.wrote(batch)
		for i := range batch {
			if batch[i].pooled {
				o.buffers.put(batch[i].bytes)
			}
			batch[i] = segment{}
		}
		if err != nil {
			return
		}
	}
}

func writeAll(nc net.Conn, vector net.Buffers) (err error) {
	if len(vector) == 1 {
		_, err = nc.Write(vector[0])
		return err
	}
	_, err = vector.WriteTo(nc)
	return err
}
