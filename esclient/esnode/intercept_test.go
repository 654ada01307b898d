package esnode

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestInterceptDiscard(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	n.Intercept(WriteEventsCompleted, Once(Fault{Discard: true}))
	c.send(WriteEvents, writeMsg("s", -2, "lost reply"))
	n.Intercept(WriteEvents, func(p Package) Fault { return Fault{Discard: bytes.Contains(p.Payload, []byte("never handled"))} })
	c.send(WriteEvents, writeMsg("s", -2, "never handled"))
	c.append("s", "third")
	if got, want := c.bodiesOf("s"), []string{"lost reply", "third"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInterceptAnswer(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	remove := n.Intercept(WriteEvents, Times(2, Fault{Answer: &Package{Command: NotHandled, Payload: []byte{8, 0}}}))
	defer remove()
	for range 2 {
		c.ask(WriteEvents, writeMsg("s", -2, "x"), NotHandled)
	}
	c.append("s", "y")
	if got := c.bodiesOf("s"); !slices.Equal(got, []string{"y"}) {
		t.Errorf("got %q", got)
	}
	// A reply can be replaced too: the write took place, the client is told otherwise.
	n.Intercept(WriteEventsCompleted, Once(Fault{Answer: &Package{Command: WriteEventsCompleted, Payload: msg(1, 2, 3, 0, 4, 0)}}))
	if f := c.ask(WriteEvents, writeMsg("s", -2, "z"), WriteEventsCompleted); f[1][0].varint != 2 {
		t.Errorf("got %v", f)
	}
	if got := c.bodiesOf("s"); !slices.Equal(got, []string{"y", "z"}) {
		t.Errorf("got %q", got)
	}
}

func TestInterceptCut(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for after := range 30 {
		c := dialRaw(t, n)
		remove := n.Intercept(Pong, Once(Fault{Cut: true, CutAfter: after}))
		c.send(Ping, []byte("12345678"))
		got, err := io.ReadAll(c.nc)
		if err != nil || len(got) != after {
			t.Errorf("cut after %d: got %d bytes, %v", after, len(got), err)
		}
		remove()
	}
	c := dialRaw(t, n)
	n.Intercept(WriteEvents, Once(Fault{Cut: true}))
	c.send(WriteEvents, writeMsg("cut", -2, "x"))
	if _, err := c.next(); err == nil {
		t.Error("the connection is still open")
	}
	if got := dialRaw(t, n).bodiesOf("cut"); got != nil {
		t.Errorf("the request was handled: %q", got)
	}
}

func TestInterceptCorruptAndRepeat(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	n.Intercept(Pong, Once(Fault{Repeat: 2, Corrupt: func(frame []byte) []byte {
		return bytes.Replace(frame, []byte("good"), []byte("evil"), 1)
	}}))
	c.send(Ping, []byte("good"))
	for range 3 {
		if f := c.want(Pong); string(f.payload) != "evil" {
			t.Errorf("got %q", f.payload)
		}
	}
	c.send(Ping, []byte("good"))
	if f := c.want(Pong); string(f.payload) != "good" {
		t.Errorf("got %q", f.payload)
	}
}

func TestInterceptSeesTheRequest(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	seen := make(chan Package, 2)
	spy := func(p Package) Fault {
		p.Payload = bytes.Clone(p.Payload)
		seen <- p
		return Fault{}
	}
	n.Intercept(Ping, spy)
	n.Intercept(Pong, spy)
	id := c.send(Ping, []byte("x"))
	c.want(Pong)
	want := Package{Command: Ping, Correlation: id, Login: "admin", Password: "changeit", Payload: []byte("x"), Conn: 1, FromClient: true}
	if got := <-seen; got.Login != want.Login || got.Password != want.Password || !got.FromClient || got.Correlation != id || got.Conn != 1 || string(got.Payload) != "x" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := <-seen; got.FromClient || got.Command != Pong || got.Correlation != id {
		t.Errorf("got %+v", got)
	}
}

// pipeNode starts a node on a network in memory, with one connection to it.
func pipeNode(t *testing.T, opts ...Option) (*Node, *rawClient) {
	t.Helper()
	l := newPipeListener()
	n, err := Start(append([]Option{Listener(l), Heartbeat(0, 0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.dial()
	if err != nil {
		t.Fatal(err)
	}
	return n, &rawClient{t: t, nc: nc}
}

// A delayed request is overtaken, and handled when its time has come.
func TestInterceptDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := pipeNode(t)
		defer n.Close()
		defer c.nc.Close()
		n.Intercept(Ping, Once(Fault{Delay: 10 * time.Second}))
		began := time.Now()
		slow := c.send(Ping, []byte("slow"))
		fast := c.send(Ping, []byte("fast"))
		if f := c.want(Pong); f.id != fast || time.Since(began) != 0 {
			t.Errorf("the delayed request was not overtaken")
		}
		if f := c.want(Pong); f.id != slow || string(f.payload) != "slow" || time.Since(began) != 10*time.Second {
			t.Errorf("got %q after %s", f.payload, time.Since(began))
		}
	})
}

func TestInterceptStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := pipeNode(t)
		defer n.Close()
		defer c.nc.Close()
		n.Intercept(Ping, Once(Fault{Stall: true, Discard: true}))
		c.send(Ping, nil)
		c.send(Ping, nil)
		_ = c.nc.SetReadDeadline(time.Now().Add(time.Hour))
		var timeout interface{ Timeout() bool }
		if _, err := c.nc.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("want silence for an hour, got %v", err)
		}
	})
}

func TestInterceptDelayedReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := pipeNode(t)
		defer n.Close()
		defer c.nc.Close()
		n.Intercept(Pong, Once(Fault{Delay: 15 * time.Second}))
		began := time.Now()
		c.send(Ping, nil)
		if c.want(Pong); time.Since(began) != 15*time.Second {
			t.Errorf("answered after %s", time.Since(began))
		}
	})
}
