package esnode

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// conn is one client connection: a reader goroutine that handles requests as they come, and a writer goroutine that sends
// what is in the outbox.
type conn struct {
	node   *Node
	member *member
	id     int64
	nc     net.Conn
	log    *slog.Logger
	out    *outbox

	received atomic.Int64 // bytes
	stopBeat atomic.Pointer[func() bool]
	closing  atomic.Bool

	mu      sync.Mutex // held while a request is handled
	version int32      // of the protocol, see handle_identify.go
	name    string
	session session
	write   wire.WriteEventsBody // scratch of handle_append.go
	types   map[string]string    // event types seen, so that they are allocated once
	subs    map[wire.CorrelationID][]subscriber
}

// subscriber is what a subscription of a connection looks like to it.
type subscriber interface {
	// leave ends the subscription without telling the client, and reports whether it was still alive.
	leave() bool
}

// request is a package from the client with the user that sent it.
type request struct {
	wire.Package
	user *user // nil: anonymous
}

func (n *Node) newConn(m *member, nc net.Conn) *conn {
	id := n.conns.next.Add(1)
	return &conn{
		node: n, member: m, id: id, nc: nc, log: n.cfg.log.With("conn_id", id), out: newOutbox(n.cfg.socket, &n.buffers),
		types: map[string]string{}, subs: map[wire.CorrelationID][]subscriber{},
	}
}

// Read counts what the client sends.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.nc.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// serve runs the connection to its end. Its two goroutines end with the connection, which Node.Close closes.
func (c *conn) serve() {
	c.log.Info("client connected", "remote", c.nc.RemoteAddr())
	var writer sync.WaitGroup
	writer.Go(func() {
		c.out.run(c.nc)
		c.hangUp()
	})
	c.startHeartbeat()
	reason := c.readLoop()
	c.stopHeartbeat()
	c.mu.Lock()
	for id, subs := range c.subs {
		for _, s := range subs {
			s.leave()
		}
		delete(c.subs, id)
	}
	c.mu.Unlock()
	c.out.end()
	writer.Wait()
	_ = c.nc.Close()
	level := slog.LevelInfo
	if reason == closedByClient || reason == closedByNode { // in order, or the node has said why
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "client disconnected", "reason", reason)
}

// How connections end, most of the time.
const (
	closedByClient = "closed by client"
	closedByNode   = "closed by node"
)

// hangUp ends the sending direction in an orderly way and gives the client a moment to do the same, since what was sent
// does not arrive if the socket is closed with unread bytes in it; or it closes the connection.
func (c *conn) hangUp() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		linger := flushTime
		if c.node.ctx.Err() != nil {
			linger = shutdownGrace
		}
		_ = c.nc.SetReadDeadline(time.Now().Add(linger))
		return
	}
	_ = c.nc.Close()
}

// drop closes the connection at once.
func (c *conn) drop() {
	c.closing.Store(true)
	c.out.kill()
	_ = c.nc.Close()
}

// readLoop handles packages until the connection ends, and says why it did.
func (c *conn) readLoop() string {
	r := wire.NewReader(c, 0, nil)
	for {
		p, err := r.Next()
		if err != nil {
			return c.readFailed(err)
		}
		if !c.receive(p) {
			return "protocol error"
		}
	}
}

func (c *conn) readFailed(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return closedByClient
	case errors.Is(err, wire.ErrFrame), errors.Is(err, wire.ErrMalformed):
		c.refuse(wire.CorrelationID{}, err.Error())
		return err.Error()
	case c.closing.Load():
		return closedByNode
	}
	return err.Error()
}

// refuse says goodbye to a client that broke the protocol. What it still sends is thrown away, since a socket that is
// closed with unread bytes in it takes back what was sent.
func (c *conn) refuse(id wire.CorrelationID, why string) {
	c.send(BadRequest, id, text(why))
	c.closing.Store(true)
	c.out.end()
	_ = c.nc.SetReadDeadline(time.Now().Add(flushTime))
	_, _ = io.Copy(io.Discard, c.nc)
}

// receive handles one package, unless an interceptor wants something else. It reports whether the connection goes on.
func (c *conn) receive(p wire.Package) bool {
	if f := c.node.hooks.ask(c, &p, true); f != nil {
		return c.receiveFaulty(p, f)
	}
	return c.handle(p)
}

func (c *conn) handle(p wire.Package) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dispatch(&request{Package: p})
}

// send queues a package, unless an interceptor wants something else.
func (c *conn) send(cmd Command, id wire.CorrelationID, b body) {
	if c.node.hooks.any(cmd) {
		c.sendHooked(cmd, id, b)
		return
	}
	if !c.out.add(cmd, id, b) {
		c.overflow()
	}
}

// sendPage queues a frame that was built in a pooled buffer.
func (c *conn) sendPage(cmd Command, frame []byte) {
	if c.node.hooks.any(cmd) {
		id := wire.CorrelationID(frame[6:22])
		c.sendHooked(cmd, id, raw(frame[4+wire.HeaderSize:]))
		c.node.buffers.put(frame)
		return
	}
	if !c.out.addBytes(frame, true) {
		c.overflow()
	}
}

// overflow disconnects a client that does not read what it asked for.
func (c *conn) overflow() {
	if c.closing.CompareAndSwap(false, true) {
		c.log.Warn("client reads too slowly", "queued_limit", c.out.limits.MaxQueued, "pending_limit", c.out.limits.MaxPending)
		c.out.kill()
		_ = c.nc.Close()
	}
}

// badRequest refuses one request; the connection goes on.
func (c *conn) badRequest(r *request, why string) {
	c.send(BadRequest, r.Correlation, text("Could not unwrap network package for command "+r.Command.String()+".\n"+why))
}
