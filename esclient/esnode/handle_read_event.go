package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleReadEvent(c *conn, r *request) {
	var m wirepb.ReadEvent
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if m.GetEventStreamId() == "" || m.GetEventNumber() < -1 {
		c.badRequest(r, "a stream name and an event number of -1 or more are needed")
		return
	}
	if c.redirectedRead(r, m.GetRequireLeader()) {
		return
	}
	if !c.node.mayRead(r.user, m.GetEventStreamId()) {
		c.send(ReadEventCompleted, r.Correlation, &eventReply{result: wire.ReadEventAccessDenied})
		return
	}
	p := c.node.log.ReadEvent(m.GetEventStreamId(), m.GetEventNumber(), m.GetResolveLinkTos())
	defer p.Release()
	reply := &eventReply{result: readEventResult(p.Result)}
	if p.Err != nil {
		c.node.readFailed(p.Err)
		reply.err = p.Err.Error()
	}
	if len(p.Events) == 1 {
		if !c.node.mayReadTarget(r.user, p.Events[0]) {
			reply.result = wire.ReadEventAccessDenied
		} else {
			reply.event = encoded(p.Events[0], false, false)
		}
	}
	c.send(ReadEventCompleted, r.Correlation, reply)
}

func readEventResult(r eventlog.ReadResult) wire.ReadEventResult {
	switch r {
	case eventlog.ReadNotFound:
		return wire.ReadEventNotFound
	case eventlog.ReadNoStream:
		return wire.ReadEventNoStream
	case eventlog.ReadStreamDeleted:
		return wire.ReadEventStreamDeleted
	case eventlog.ReadError:
		return wire.ReadEventError
	}
	return wire.ReadEventSuccess
}

// eventReply is a ReadEventCompleted whose event is encoded already. The event is always there, if need be empty.
type eventReply struct {
	result wire.ReadEventResult
	event  wire.EncodedEvent
	err    string
}

func (e *eventReply) Append(dst []byte) []byte {
	m := wire.ReadEventCompletedBody{Result: e.result}
	dst = e.event.AppendField(m.Append(dst), 2)
	if e.err != "" {
		dst = appendError(dst, 3, e.err)
	}
	return dst
}

// encoded is an event as the wire package takes it. narrow replaces the number of a tombstone for clients whose event
// numbers have 32 bits.
func encoded(e eventlog.Resolved, positions, narrow bool) wire.EncodedEvent {
	if narrow && e.Tombstone && e.Link == nil {
		e.Event = narrowNumber(e.Event)
	}
	return wire.EncodedEvent{Event: e.Event, Link: e.Link, Positions: positions, Commit: e.Commit, Prepare: e.Prepare}
}

const maxInt32 = 1<<31 - 1

// narrowNumber returns the event with the largest number of 32 bits.
func narrowNumber(event []byte) []byte {
	var rec wire.Record
	if rec.Decode(event) != nil {
		return event
	}
	rec.Number = maxInt32
	if rec.Metadata == nil {
		rec.Metadata = []byte{}
	}
	return rec.Append(nil)
}
