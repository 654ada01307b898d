package esnode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// TestReplay sends what clients sent to a real server 5.0.11, and compares what the node answers with what the server
// answered, field by field, but for positions, times, ids the server made, and texts of errors.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, c := range wiretest.Conversations(t) {
		if strings.Contains(c.Name, "/") {
			continue // older servers
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if why, skip := notReplayed[c.Name[:3]]; skip {
				t.Skip(why)
			}
			synctest.Test(t, func(t *testing.T) { replay(t, c) })
		})
	}
}

// notReplayed are the conversations with tests of their own.
var notReplayed = map[string]string{
	"117": "see TestReplayLargeEvents",
	"132": "see TestReplayTLS",
	"150": "see TestReplayCluster",
	"152": "see TestReplayLeaderKilled",
}

// differs are answers that depend on what else is in the log of a fresh server: its own events.
var differs = map[string][]int{
	"030-read-all-forward":  {14, 16, 18},
	"150-cluster-follower":  {43},
	"031-read-all-backward": {14, 16, 18},
}

type replayer struct {
	t       *testing.T
	c       wiretest.Conversation
	node    *Node
	handler http.Handler
	cluster *Cluster
	dial    func() (net.Conn, error)
	conns   map[int]*replayConn
	got     map[int][]byte // payloads by line of the recording
	began   time.Time
	made    map[string]string // ids of events that the server made: ours by the recorded
}

func replay(t *testing.T, c wiretest.Conversation) {
	l := newPipeListener()
	n, err := Start(Listener(l))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	newReplayer(t, c, n, l.dial).run()
}

func newReplayer(t *testing.T, c wiretest.Conversation, n *Node, dial func() (net.Conn, error)) *replayer {
	web := &httpServer{node: n, member: n.members[0], listener: newPipeListener()}
	return &replayer{t: t, c: c, node: n, handler: web.routes(), dial: dial, conns: map[int]*replayConn{}, got: map[int][]byte{}, made: map[string]string{}, began: time.Now()}
}

func (r *replayer) run() {
	for _, line := range pushesFirst(r.c.Lines) {
		switch {
		case line.Dir == "c2s":
			r.until(line.Millis)
			r.send(line)
		case line.Dir == "s2c":
			if line.CommandName == "HeartbeatRequest" && !r.probes() {
				continue
			}
			r.expect(line)
		default:
			r.event(line)
		}
		if r.t.Failed() {
			break
		}
	}
	time.Sleep(100 * time.Millisecond)
	for id, c := range r.conns {
		c.drain()
		for _, p := range c.pending {
			if p.Command != wire.HeartbeatRequest && !(p.Command == wire.BadRequest && p.Correlation == wire.CorrelationID{}) && !r.t.Failed() {
				r.t.Errorf("connection %d: unexpected %s %x %x", id, p.Command, p.Correlation, p.Payload)
			}
		}
	}
	for _, c := range r.conns { // all at once: what one holds goes to the others
		_ = c.nc.Close()
	}
	for _, c := range r.conns {
		<-c.ended
	}
}

// probes says whether the conversation is about the heartbeats of the server.
func (r *replayer) probes() bool { return r.c.Name[:3] == "001" || r.c.Name[:3] == "113" }

// until waits so that the pace is that of the recording.
func (r *replayer) until(ms int) {
	time.Sleep(time.Until(r.began.Add(time.Duration(ms) * time.Millisecond)))
}

func (r *replayer) event(line wiretest.Line) {
	switch line.Event {
	case "connect":
		nc, err := r.dial()
		if err != nil {
			r.t.Fatal(err)
		}
		r.conns[line.Conn] = newReplayConn(nc, !r.probes())
	case "closed-by-client":
		if line.Note == "end of scenario" {
			return
		}
		_ = r.conns[line.Conn].nc.Close()
	case "closed-by-server":
		select {
		case <-r.conns[line.Conn].ended:
		case <-time.After(5 * time.Second):
			r.t.Errorf("line %d: connection %d is still open", line.Number, line.Conn)
		}
	case "pause", "no-reply":
		r.until(line.Millis)
	case "note":
		r.note(line)
	case "http":
		r.until(line.Millis)
		r.http(line)
	}
}

func (r *replayer) send(line wiretest.Line) {
	c := r.conns[line.Conn]
	var frame []byte
	p, ok := line.Package(r.t)
	switch {
	case line.Raw != "":
		frame, _ = hex.DecodeString(line.Raw)
	case p.Command == wire.HeartbeatResponse && !r.probes():
		return // of another probe; ours were answered
	case !ok:
		frame = r.byRule(line)
	default:
		for recorded, ours := range r.made {
			p.Payload = bytes.ReplaceAll(p.Payload, []byte(recorded), []byte(ours))
		}
		for field, from := range line.Volatile {
			p.Payload = setField(p.Payload, field, r.value(from))
		}
		if p.Command == wire.HeartbeatResponse {
			p.Correlation = wire.CorrelationID(r.got[-1])
		}
		frame = wire.AppendPackage(nil, &p)
		if line.AuthFields != nil && p.Auth.IsZero() {
			r.t.Fatalf("line %d: auth block without credentials", line.Number)
		}
	}
	if _, err := c.nc.Write(frame); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, net.ErrClosed) {
		r.t.Logf("line %d: write: %v", line.Number, err)
	}
}

// byRule makes the large events of 117, whose payloads the recording only describes.
func (r *replayer) byRule(line wiretest.Line) []byte {
	id, _ := hex.DecodeString(line.Correlation)
	cmd, _ := strconv.ParseUint(strings.TrimPrefix(line.CommandByte, "0x"), 16, 8)
	p := wire.Package{Command: wire.Command(cmd), Correlation: wire.CorrelationID(id)}
	p.Payload = largePayload(r.t, line)
	return wire.AppendPackage(nil, &p)
}

// value returns the field of an earlier answer that "line N field F" names.
func (r *replayer) value(from string) uint64 {
	var at, field int
	if _, err := fmt.Sscanf(from, "line %d field %d", &at, &field); err != nil {
		r.t.Fatalf("%q: %v", from, err)
	}
	fields, err := parseFields(r.got[at])
	if err != nil || len(fields[field]) == 0 {
		r.t.Fatalf("%s: not there: %x", from, r.got[at])
	}
	return fields[field][0].varint
}

func (r *replayer) expect(line wiretest.Line) {
	c := r.conns[line.Conn]
	want, _ := line.Package(r.t)
	closing := want.Command == wire.BadRequest && want.Correlation == wire.CorrelationID{}
	p, ok := c.await(want)
	if !ok {
		if closing {
			return // often does not arrive
		}
		c.drain()
		var others []string
		for _, p := range c.pending {
			others = append(others, fmt.Sprintf("%s %x", p.Command, p.Correlation[12:]))
		}
		r.t.Errorf("line %d: no %s %x came: %s; but %v", line.Number, want.Command, want.Correlation, line.Note, others)
		return
	}
	r.got[line.Number] = p.Payload
	r.got[-1] = p.Correlation[:]
	for _, n := range differs[r.c.Name] {
		if n == line.Number {
			return
		}
	}
	cmp := &comparer{cmd: p.Command, made: r.made, empty: r.node.log.LastCommit() == -1}
	cmp.payload(line.Decoded, p.Payload)
	if len(cmp.errs) > 0 {
		r.t.Errorf("line %d: %s: %s\nwant %s\ngot  %s", line.Number, p.Command, strings.Join(cmp.errs, "; "), hex.EncodeToString(want.Payload), hex.EncodeToString(p.Payload))
	}
}
