package esnode

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// rawClient speaks frames that are built here, so that node and client cannot share a mistake.
type rawClient struct {
	t    testing.TB
	nc   net.Conn
	last byte // of the correlation ids
}

type rawFrame struct {
	cmd     Command
	id      [16]byte
	payload []byte
}

func dialRaw(t testing.TB, n *Node) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &rawClient{t: t, nc: nc}
}

func (c *rawClient) nextID() (id [16]byte) {
	c.last++
	id[0], id[15] = 0xc0, c.last
	return id
}

// send writes a request as admin and returns its correlation id.
func (c *rawClient) send(cmd Command, payload []byte) [16]byte {
	c.t.Helper()
	id := c.nextID()
	c.sendAs(cmd, id, payload)
	return id
}

func (c *rawClient) sendAs(cmd Command, id [16]byte, payload []byte) {
	c.t.Helper()
	const auth = "\x05admin\x08changeit"
	b := binary.LittleEndian.AppendUint32(nil, uint32(18+len(auth)+len(payload)))
	b = append(append(b, byte(cmd), 1), id[:]...)
	b = append(append(b, auth...), payload...)
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next reads one frame, heartbeats excepted, which it answers.
func (c *rawClient) next() (rawFrame, error) { return c.nextWithin(20 * time.Second) }

func (c *rawClient) nextWithin(limit time.Duration) (rawFrame, error) {
	for {
		_ = c.nc.SetReadDeadline(time.Now().Add(limit))
		var head [22]byte
		if _, err := io.ReadFull(c.nc, head[:]); err != nil {
			return rawFrame{}, err
		}
		f := rawFrame{cmd: Command(head[4]), id: [16]byte(head[6:]), payload: make([]byte, binary.LittleEndian.Uint32(head[:])-18)}
		if _, err := io.ReadFull(c.nc, f.payload); err != nil {
			return rawFrame{}, err
		}
		if f.cmd != HeartbeatRequest {
			return f, nil
		}
		c.sendAs(HeartbeatResponse, f.id, nil)
	}
}

// want reads the next frame, which must be of this command.
func (c *rawClient) want(cmd Command) rawFrame {
	c.t.Helper()
	return c.wantWithin(cmd, 20*time.Second)
}

func (c *rawClient) wantWithin(cmd Command, limit time.Duration) rawFrame {
	c.t.Helper()
	f, err := c.nextWithin(limit)
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", cmd, err)
	}
	if f.cmd != cmd {
		c.t.Fatalf("want %s, got %s %x", cmd, f.cmd, f.payload)
	}
	return f
}

// ask sends a request and returns the fields of its answer, which must be the next frame.
func (c *rawClient) ask(cmd Command, payload []byte, reply Command) map[int][]field {
	c.t.Helper()
	id := c.send(cmd, payload)
	f := c.want(reply)
	if f.id != id {
		c.t.Fatalf("answer to %x under %x", id, f.id)
	}
	fields, err := parseFields(f.payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return fields
}

// msg builds a message: numbers and texts by field.
func msg(parts ...any) (b []byte) {
	for i := 0; i < len(parts); i += 2 {
		num := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(int64(v)))
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	return b
}

func rawID() []byte {
	id := newGUID()
	return id[:]
}

func writeMsg(stream string, expected int, bodies ...string) []byte {
	b := msg(1, stream, 2, expected)
	for _, body := range bodies {
		b = append(b, msg(3, msg(1, rawID(), 2, "T", 3, 1, 4, 0, 5, body, 6, ""))...)
	}
	return append(b, msg(4, 1)...)
}

func (c *rawClient) append(stream string, bodies ...string) {
	c.t.Helper()
	if f := c.ask(WriteEvents, writeMsg(stream, -2, bodies...), WriteEventsCompleted); f[1][0].varint != 0 {
		c.t.Fatalf("append to %s: %v", stream, f)
	}
}

// bodiesOf returns the data of the events of a stream page.
func (c *rawClient) bodiesOf(stream string) (list []string) {
	c.t.Helper()
	f := c.ask(ReadStreamEventsForward, msg(1, stream, 2, 0, 3, 4096, 4, 0, 5, 1), ReadStreamEventsForwardCompleted)
	for _, e := range f[1] {
		list = append(list, string(eventField(c.t, e.bytes, 7)))
	}
	return list
}

// eventField returns a field of the event in a ResolvedEvent.
func eventField(t testing.TB, resolved []byte, num int) []byte {
	t.Helper()
	r, err := parseFields(resolved)
	if err != nil || len(r[1]) == 0 {
		t.Fatalf("no event in %x", resolved)
	}
	e, err := parseFields(r[1][0].bytes)
	if err != nil {
		t.Fatal(err)
	}
	return e[num][0].bytes
}
