package esnode

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

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

type replayConn struct {
	nc      net.Conn
	frames  chan wire.Package
	pending []wire.Package
	ended   chan struct{}
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
	for _, line := range r.c.Lines {
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

func newReplayConn(nc net.Conn, answerProbes bool) *replayConn {
	c := &replayConn{nc: nc, frames: make(chan wire.Package, 10_000), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		in := wire.NewReader(nc, 0, nil)
		for {
			p, err := in.Next()
			if err != nil {
				return
			}
			p.Payload = append([]byte(nil), p.Payload...)
			if p.Command == wire.HeartbeatRequest && answerProbes {
				_, _ = nc.Write(wire.AppendPackage(nil, &wire.Package{Command: wire.HeartbeatResponse, Correlation: p.Correlation}))
				continue
			}
			c.frames <- p
		}
	}()
	return c
}

func (c *replayConn) drain() {
	for {
		select {
		case p := <-c.frames:
			c.pending = append(c.pending, p)
		default:
			return
		}
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

// setField replaces a varint field of a message.
func setField(payload []byte, field string, v uint64) []byte {
	want, _ := strconv.Atoi(field)
	var out []byte
	for rest := payload; len(rest) > 0; {
		num, typ, n := protowire.ConsumeTag(rest)
		m := protowire.ConsumeFieldValue(num, typ, rest[n:])
		if int(num) == want {
			out = protowire.AppendVarint(protowire.AppendTag(out, num, protowire.VarintType), v)
		} else {
			out = append(out, rest[:n+m]...)
		}
		rest = rest[n+m:]
	}
	return out
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

// await returns the next package of the command and id.
func (c *replayConn) await(want wire.Package) (wire.Package, bool) {
	match := func(p wire.Package) bool {
		return p.Command == want.Command && (p.Correlation == want.Correlation || p.Command == wire.HeartbeatRequest)
	}
	for i, p := range c.pending {
		if match(p) {
			c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
			return p, true
		}
	}
	limit := time.After(8 * time.Second)
	for {
		select {
		case p := <-c.frames:
			if match(p) {
				return p, true
			}
			c.pending = append(c.pending, p)
		case <-limit:
			return wire.Package{}, false
		case <-c.ended:
			select {
			case p := <-c.frames:
				if match(p) {
					return p, true
				}
				c.pending = append(c.pending, p)
			default:
				return wire.Package{}, false
			}
		}
	}
}

type field struct {
	varint uint64
	bytes  []byte
	isText bool
}

func parseFields(b []byte) (map[int][]field, error) {
	out := map[int][]field{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			out[int(num)], b = append(out[int(num)], field{varint: v}), b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			out[int(num)], b = append(out[int(num)], field{bytes: v, isText: true}), b[n:]
		default:
			return nil, fmt.Errorf("wire type %d", typ)
		}
	}
	return out, nil
}

// comparer compares one answer with the recorded one.
type comparer struct {
	cmd   wire.Command
	empty bool // the log is
	made  map[string]string
	errs  []string
}

func (c *comparer) errorf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Sprintf(format, args...))
}

func (c *comparer) payload(want map[string]any, got []byte) {
	if t, isText := want["text"]; isText {
		if c.cmd != wire.BadRequest && t != string(got) {
			c.errorf("text: want %q, got %q", t, got)
		}
		return
	}
	if want == nil && len(got) > 0 && c.cmd != wire.BadRequest {
		c.errorf("want no payload, got %x", got)
	}
	if c.cmd == wire.BadRequest {
		return
	}
	c.message(nil, want, got)
}

func (c *comparer) message(path []int, want map[string]any, got []byte) {
	fields, err := parseFields(got)
	if err != nil {
		c.errorf("%v: %v in %x", path, err, got)
		return
	}
	if want["1"] == configStream { // holds all groups that the recorder ever made
		want = maps.Clone(want)
		want["2"], want["7"] = json.Number(strconv.FormatUint(fields[2][0].varint, 10)), string(fields[7][0].bytes)
	}
	for key, value := range want {
		num, _ := strconv.Atoi(key)
		at := append(append([]int(nil), path...), num)
		list, repeated := value.([]any)
		if !repeated {
			list = []any{value}
		}
		if len(fields[num]) != len(list) {
			c.errorf("%v: want %d of them, got %d", at, len(list), len(fields[num]))
			continue
		}
		for i := range list {
			c.value(at, list[i], fields[num][i])
		}
	}
	for num := range fields {
		if _, ok := want[strconv.Itoa(num)]; !ok {
			c.errorf("%v: unexpected field %d: %v", path, num, fields[num])
		}
	}
}

func (c *comparer) value(path []int, want any, got field) {
	switch w := want.(type) {
	case map[string]any:
		c.message(path, w, got.bytes)
	case json.Number:
		n, _ := w.Int64()
		if c.cmd == wire.SubscriptionConfirmation && c.isPosition(path) && c.empty && int64(got.varint) == -1 {
			return // nothing was written yet; the log of a fresh server is never empty
		}
		if c.cmd == wire.NotHandled && len(path) == 2 && path[1]%2 == 0 {
			return // a port
		}
		if c.isPosition(path) && n != 0 && n != -1 && n != wire.FailedNumber {
			if int64(got.varint) <= 0 {
				c.errorf("%v: want a position, got %d", path, int64(got.varint))
			}
			return
		}
		if last := path[len(path)-1]; c.inRecord(path) && (last == 9 || last == 10) {
			return
		}
		if int64(got.varint) != n {
			c.errorf("%v: want %d, got %d", path, n, int64(got.varint))
		}
	case string:
		c.bytes(path, w, got.bytes)
	default:
		c.errorf("%v: cannot compare %T", path, want)
	}
}

func (c *comparer) bytes(path []int, want string, got []byte) {
	w := []byte(want)
	if text, isHex := strings.CutPrefix(want, "hex:"); isHex {
		w, _ = hex.DecodeString(text)
	}
	last := path[len(path)-1]
	switch {
	case string(w) == string(got):
	case c.inRecord(path) && last == 3 && len(got) == 16 && (len(w) == 0 || w[0] != 0xe0):
		c.made[string(w)] = string(got)
	case c.inRecord(path) && last == 8 && sameButAdded(w, got):
	case c.cmd == wire.ScavengeDatabaseResponse && last == 2 && len(got) == len(w):
	case c.freeText(path):
	default:
		c.errorf("%v: want %q, got %q", path, w, got)
	}
}

// freeText says whether the text is the server's own wording.
func (c *comparer) freeText(path []int) bool {
	switch c.cmd {
	case wire.CreatePersistentSubscriptionCompleted, wire.UpdatePersistentSubscriptionCompleted, wire.DeletePersistentSubscriptionCompleted:
		return path[0] == 2
	case wire.ReadStreamEventsForwardCompleted, wire.ReadStreamEventsBackwardCompleted, wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return path[0] == 7
	}
	return false
}

// sameButAdded compares the metadata of parked events, which says when they were parked.
func sameButAdded(want, got []byte) bool {
	var w, g map[string]any
	if json.Unmarshal(want, &w) != nil || json.Unmarshal(got, &g) != nil || g["added"] == nil {
		return false
	}
	delete(w, "added")
	delete(g, "added")
	return fmt.Sprint(w) == fmt.Sprint(g)
}

// inRecord says whether the path leads into an event record.
func (c *comparer) inRecord(path []int) bool {
	if len(path) != 3 || path[1] > 2 {
		return false
	}
	switch c.cmd {
	case wire.ReadEventCompleted:
		return path[0] == 2
	case wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return path[0] == 3
	}
	return path[0] == 1
}

func (c *comparer) isPosition(path []int) bool {
	first, last := path[0], path[len(path)-1]
	switch c.cmd {
	case wire.WriteEventsCompleted:
		return first == 5 || first == 6
	case wire.DeleteStreamCompleted:
		return first == 3 || first == 4
	case wire.TransactionStartCompleted, wire.TransactionWriteCompleted:
		return first == 1
	case wire.TransactionCommitCompleted:
		return first == 1 || first == 6 || first == 7
	case wire.ReadStreamEventsForwardCompleted, wire.ReadStreamEventsBackwardCompleted:
		return first == 6
	case wire.ReadAllEventsForwardCompleted, wire.ReadAllEventsBackwardCompleted:
		return len(path) == 1 && last != 6 || len(path) == 2
	case wire.SubscriptionConfirmation, wire.PersistentSubscriptionConfirmation:
		return first == 1
	case wire.StreamEventAppeared:
		return len(path) == 2
	}
	return false
}

// http plays one recorded HTTP request, without a socket.
func (r *replayer) http(line wiretest.Line) {
	body, _ := line.Request.(string)
	req := httptest.NewRequest(line.Method, line.Path, strings.NewReader(body))
	if line.AuthFields != nil {
		req.SetBasicAuth(line.AuthFields.Login, line.AuthFields.Password)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, req)
	if answer.Code != line.Status {
		r.t.Errorf("line %d: %s %s: want status %d, got %d %s", line.Number, line.Method, line.Path, line.Status, answer.Code, answer.Body)
	}
	want, ok := line.Response.(string)
	if !ok {
		return
	}
	var w, g any
	if json.Unmarshal([]byte(want), &w) != nil || json.Unmarshal(answer.Body.Bytes(), &g) != nil {
		r.t.Errorf("line %d: %s %s: want %s, got %s", line.Number, line.Method, line.Path, want, answer.Body)
		return
	}
	for _, problem := range diffJSON("", w, g) {
		r.t.Errorf("line %d: %s %s: %s", line.Number, line.Method, line.Path, problem)
	}
}

// diffJSON compares answers over HTTP, but for what depends on the server, the connection or the time.
func diffJSON(path string, want, got any) (problems []string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: want an object, got %v", path, got)}
		}
		for key, v := range w {
			if strings.HasPrefix(key, "average") || strings.HasPrefix(key, "count") || httpVolatile[key] {
				if _, there := g[key]; !there {
					problems = append(problems, path+"."+key+" is missing")
				}
				continue
			}
			problems = append(problems, diffJSON(path+"."+key, v, g[key])...)
		}
		for key := range g {
			if _, known := w[key]; !known {
				problems = append(problems, path+"."+key+" is not known")
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s: want %v, got %v", path, want, got)}
		}
		for i := range w {
			problems = append(problems, diffJSON(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
	case string:
		if g, ok := got.(string); !ok || noHost(g) != noHost(w) {
			return []string{fmt.Sprintf("%s: want %q, got %v", path, want, got)}
		}
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) {
			return []string{fmt.Sprintf("%s: want %v, got %v", path, want, got)}
		}
	}
	return problems
}

var httpVolatile = map[string]bool{
	"correlationId": true, "timeStamp": true, "instanceId": true, "epochId": true, "dateLastUpdated": true, "from": true,
	"liveBufferCount": true, // of the server's buffer for live events, which the node has no need of
}

// noHost removes host and port of a URL.
func noHost(s string) string {
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return path
	}
	return s
}
