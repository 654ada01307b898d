package esnode

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleReadStreamForward(c *conn, r *request) {
	readStream(c, r, ReadStreamEventsForwardCompleted, false)
}

func handleReadStreamBackward(c *conn, r *request) {
	readStream(c, r, ReadStreamEventsBackwardCompleted, true)
}

func readStream(c *conn, r *request, reply Command, backward bool) {
	var m wirepb.ReadStreamEvents
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if m.GetEventStreamId() == "" || m.GetFromEventNumber() < -1 {
		c.badRequest(r, "a stream name and a number of -1 or more are needed")
		return
	}
	if c.redirectedRead(r, m.GetRequireLeader()) {
		return
	}
	fail := func(result wire.ReadStreamResult, why string) {
		page := wire.StreamPage{Result: result, Next: -1, Last: -1, EndOfStream: true, LastCommit: logHead(c.node.log.LastCommit()), Error: wire.Some(why)}
		c.send(reply, r.Correlation, &page)
	}
	switch {
	case m.GetMaxCount() > maxPageCount:
		fail(wire.ReadStreamError, "Read size too big")
		return
	case m.GetMaxCount() <= 0:
		fail(wire.ReadStreamError, "max count must be positive")
		return
	case m.GetFromEventNumber() < 0 && !backward:
		fail(wire.ReadStreamError, "a forward read cannot begin before the first event")
		return
	case !c.node.mayRead(r.user, m.GetEventStreamId()):
		fail(wire.ReadStreamAccessDenied, "")
		return
	}
	p := c.node.log.ReadStream(m.GetEventStreamId(), m.GetFromEventNumber(), int(m.GetMaxCount()), backward, m.GetResolveLinkTos())
	defer p.Release()
	if p.Err != nil {
		c.node.readFailed(p.Err)
		fail(wire.ReadStreamError, p.Err.Error())
		return
	}
	if m.GetResolveLinkTos() && !c.node.mayReadTargets(r.user, p.Events) {
		fail(wire.ReadStreamAccessDenied, "")
		return
	}
	c.sendPage(reply, c.streamPage(reply, r.Correlation, p))
}

// streamPage builds the whole frame of a page.
func (c *conn) streamPage(reply Command, id wire.CorrelationID, p *eventlog.Page) []byte {
	frame, start := wire.BeginFrame(c.node.buffers.get(), wire.Command(reply), 0, id, wire.Auth{})
	for i := range p.Events {
		if e := &p.Events[i]; e.Link == nil && e.Event != nil {
			frame = appendPlainEvent(frame, e.Event)
			continue
		}
		e := encoded(p.Events[i], false, false)
		frame = e.AppendField(frame, 1)
	}
	last := p.Last
	if c.version == 0 && last == wire.TombstoneNumber {
		last = maxInt32
	}
	tail := wire.StreamPage{
		Result: readStreamResult(p.Result), Next: p.Next, Last: last, EndOfStream: p.End, LastCommit: logHead(p.LastCommit), Error: wire.Some(""),
	}
	return wire.EndFrame(tail.AppendTail(frame), start)
}

// logHead is what a page says about the log. That of a server holds records of its own from the beginning, so that a page
// never says 0 or -1; nobody goes by the number.
func logHead(lastCommit int64) int64 { return max(lastCommit, 1) }

// appendPlainEvent appends an event without a link to a page of a stream: what most pages consist of.
func appendPlainEvent(frame, event []byte) []byte {
	n := len(event)
	frame = protowire.AppendVarint(append(frame, 1<<3|2), uint64(1+protowire.SizeBytes(n)))
	frame = protowire.AppendVarint(append(frame, 1<<3|2), uint64(n))
	return append(frame, event...)
}

func readStreamResult(r eventlog.ReadResult) wire.ReadStreamResult {
	switch r {
	case eventlog.ReadNoStream:
		return wire.ReadStreamNoStream
	case eventlog.ReadStreamDeleted:
		return wire.ReadStreamDeleted
	case eventlog.ReadError:
		return wire.ReadStreamError
	}
	return wire.ReadStreamSuccess
}

func appendError(dst []byte, field protowire.Number, why string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, field, protowire.BytesType), why)
}
