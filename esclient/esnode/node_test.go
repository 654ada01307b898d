package esnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStartErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNode(t, Dir(dir))
	_, err := Start(Dir(dir))
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) || locked.URL != "tcp://"+n.Addr().String() || !strings.Contains(err.Error(), locked.URL) {
		t.Errorf("got %v", err)
	}
	_, err = Start(Heartbeat(-1, 0), User("", "x"), Logger(nil), Clock(nil), Socket(ClientSocket{}))
	if !errors.Is(err, ErrInvalidOption) {
		t.Fatalf("got %v", err)
	}
	for _, word := range []string{"Heartbeat", "User", "Logger", "Clock", "Socket"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not mention %s: %v", word, err)
		}
	}
	if _, err := Start(Listen(n.Addr().String())); err == nil {
		t.Error("two nodes listen on one address")
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	for _, fsync := range []FsyncPolicy{FsyncAlways, FsyncNever} {
		dir := t.TempDir()
		n, err := Start(Dir(dir), Fsync(fsync))
		if err != nil {
			t.Fatal(err)
		}
		c := dialRaw(t, n)
		c.append("s", "1", "2")
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n = startNode(t, Dir(dir), Fsync(fsync))
		c = dialRaw(t, n)
		c.append("s", "3")
		if got := c.bodiesOf("s"); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("got %q", got)
		}
	}
}

// A client that reads nothing is cut off at the limits, and the others do not notice.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	server := defaults().socket
	if server != (ClientSocket{MaxQueued: 50_000, MaxPending: 10 << 20}) {
		t.Errorf("the limits are %+v", server)
	}
	for name, test := range map[string]struct {
		limits      ClientSocket
		body, batch int // bytes of an event, events of an append
	}{
		"bytes":                   {limits: ClientSocket{MaxQueued: 50_000, MaxPending: 1 << 20}, body: 128 << 10, batch: 1},
		"packages":                {limits: ClientSocket{MaxQueued: 100, MaxPending: 1 << 30}, body: 128 << 10, batch: 1},
		"bytes of the server":     {limits: server, body: 64 << 10, batch: 4},
		"packages of the server":  {limits: server, body: 1, batch: 500},
		"one event of the server": {limits: server, body: 12 << 20, batch: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without heartbeats, which only clients that are being read answer in time.
			slowSubscriber(t, startNode(t, Socket(test.limits), Heartbeat(0, time.Second)), test.body, test.batch)
		})
	}
}

func slowSubscriber(t *testing.T, n *Node, body, batch int) {
	slow := dialRaw(t, n)
	slow.ask(SubscribeToStream, msg(1, "s", 2, 0), SubscriptionConfirmation)
	out := n.conns.all()[0].out
	fast, writer := dialRaw(t, n), dialRaw(t, n)
	fast.ask(SubscribeToStream, msg(1, "s", 2, 0), SubscriptionConfirmation)
	bodies := slices.Repeat([]string{strings.Repeat("x", body)}, batch)
	written := 0
	write := func() {
		t.Helper()
		writer.append("s", bodies...)
		for range bodies {
			fast.want(StreamEventAppeared)
		}
		written += batch
	}
	for len(n.conns.all()) == 3 {
		write()
		queued, pending, held := out.waiting()
		if queued > out.limits.MaxQueued+1 || pending > out.limits.MaxPending+body+1000 || held > 5*pending+writeBurst {
			t.Fatalf("%d packages of %d bytes wait, in %d bytes of memory", queued, pending, held)
		}
		if written > 1_000_000 {
			t.Fatal("the slow client is still connected")
		}
	}
	write()
	pushed := 0
	for ; ; pushed++ {
		if _, err := slow.next(); err != nil {
			break
		}
	}
	if pushed >= written-batch {
		t.Errorf("the slow client got %d of %d events", pushed, written)
	}
	if queued, pending, held := out.waiting(); held != 0 {
		t.Errorf("after the end %d packages of %d bytes are still in memory", queued, pending)
	}
}

// waiting returns what was not sent yet, and the memory that it takes.
func (o *outbox) waiting() (queued, pending, held int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	held = cap(o.open.bytes)
	for _, s := range o.ready {
		held += cap(s.bytes)
	}
	return o.queued, o.pending, held
}

// Small pages between large ones that nobody reads take little more memory than their bytes.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	out := newOutbox(defaults().socket, &n.buffers)
	page := func(capacity, size int) bool {
		return out.addBytes(append(make([]byte, 0, capacity), make([]byte, size)...), true)
	}
	for page(maxPooled, 100) && out.add(Pong, [16]byte{}, nil) && page(1<<20, smallSegment/2) { // until it is full
	}
	if queued, pending, held := out.waiting(); pending < 10<<20 || held > 5*pending {
		t.Errorf("%d packages of %d bytes take %d bytes of memory", queued, pending, held)
	}
}

// Close tells subscribers goodbye, and leaves no goroutine behind (see TestMain).
func TestCloseSaysGoodbye(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	id := c.nextID()
	c.sendAs(SubscribeToStream, id, msg(1, "s", 2, 0))
	c.want(SubscriptionConfirmation)
	idle := dialRaw(t, n)
	idle.ask(Ping, nil, Pong)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if f := c.want(SubscriptionDropped); f.id != id || len(f.payload) != 0 {
		t.Errorf("got %+v", f)
	}
	for _, c := range []*rawClient{c, idle} {
		if _, err := c.next(); !errors.Is(err, io.EOF) {
			t.Errorf("want the end of the stream, got %v", err)
		}
	}
	if err := n.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	select {
	case <-n.Done():
	default:
		t.Error("Done is open")
	}
}

func TestDropConnections(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	c.append("s", "1")
	n.DropConnections()
	if _, err := c.next(); err == nil {
		t.Error("still connected")
	}
	if got := dialRaw(t, n).bodiesOf("s"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
}

// A client that stops answering is probed after the interval and cut off after the time-out, both of the manual clock.
func TestHeartbeatWithManualClock(t *testing.T) {
	t.Parallel()
	clock := NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	n := startNode(t, Clock(clock), Heartbeat(time.Minute, 10*time.Second))
	c := dialRaw(t, n)
	c.ask(Ping, nil, Pong)
	clock.Advance(time.Minute) // there was traffic in this minute
	clock.Advance(time.Minute)
	_ = c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	probe := make([]byte, 22)
	if _, err := io.ReadFull(c.nc, probe); err != nil || Command(probe[4]) != HeartbeatRequest {
		t.Fatalf("got %x, %v", probe, err)
	}
	clock.Advance(9 * time.Second)
	if len(n.conns.all()) != 1 {
		t.Error("closed too early")
	}
	clock.Advance(time.Second)
	if _, err := io.ReadFull(c.nc, probe[:1]); err == nil {
		t.Error("still connected")
	}
}

// Whatever pieces a frame comes in, it is one frame; and whatever garbage comes, the node lives.
func TestFramesInPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := pipeNode(t)
		defer n.Close()
		defer c.nc.Close()
		for size := 1; size < 40; size++ {
			frame := pingFrame(byte(size))
			go func() {
				for rest := frame; len(rest) > 0; {
					k := min(size, len(rest))
					if _, err := c.nc.Write(rest[:k]); err != nil {
						return
					}
					rest = rest[k:]
				}
			}()
			if f := c.want(Pong); f.id[0] != byte(size) || string(f.payload) != "payload" {
				t.Fatalf("pieces of %d: %+v", size, f)
			}
		}
	})
}

func pingFrame(id byte) []byte {
	b := []byte{18 + 7, 0, 0, 0, byte(Ping), 0, id}
	return append(append(b, make([]byte, 15)...), "payload"...)
}

func TestManyConnections(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	for i := range 50 {
		c := dialRaw(t, n)
		c.append(fmt.Sprint("s", i), "x")
		if i%2 == 0 {
			_ = c.nc.Close()
		}
	}
	c := dialRaw(t, n)
	if got := c.bodiesOf("s49"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// What is damaged on disk is answered with an error, and reported; the rest of the log is served.
func TestDamagedEvent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	n := startNode(t, Dir(dir), Logger(testLogger(&log)))
	c := dialRaw(t, n)
	c.append("good", "1")
	c.append("bad", "damage me")
	damageFile(t, dir, "damage me")
	f := c.ask(ReadStreamEventsForward, msg(1, "bad", 2, 0, 3, 10, 4, 0, 5, 1), ReadStreamEventsForwardCompleted)
	if len(f[1]) != 0 || f[2][0].varint != 4 {
		t.Errorf("result %v with %d events, want Error", f[2], len(f[1]))
	}
	if f := c.ask(ReadEvent, msg(1, "bad", 2, 0, 3, 0, 4, 1), ReadEventCompleted); f[1][0].varint != 4 {
		t.Errorf("result %v, want Error", f[1])
	}
	if got := c.bodiesOf("good"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
	_ = n.Close()
	if !strings.Contains(log.String(), "damaged") {
		t.Errorf("nothing was reported: %s", log.String())
	}
	if _, err := Start(Dir(dir)); err == nil {
		t.Error("a damaged log was opened")
	} else if !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// A subscription that begins while events are written misses none: each is either counted in the confirmation or pushed.
func TestSubscribeWhileWriting(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	writer := dialRaw(t, n)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				writer.append("s", fmt.Sprint(i))
			}
		}
	}()
	for range 300 {
		c := dialRaw(t, n)
		confirm := c.ask(SubscribeToStream, msg(1, "s", 2, 0), SubscriptionConfirmation)
		last := int64(confirm[2][0].varint)
		f := c.want(StreamEventAppeared)
		fields, err := parseFields(f.payload)
		if err != nil {
			t.Fatal(err)
		}
		e, err := parseFields(fields[1][0].bytes)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := parseFields(e[1][0].bytes)
		if err != nil {
			t.Fatal(err)
		}
		if first := int64(rec[2][0].varint); first > last+1 {
			t.Fatalf("the last event was %d, the first push is %d", last, first)
		}
		_ = c.nc.Close()
	}
	close(stop)
	<-done
}
