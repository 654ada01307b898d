package esnode

import (
	"unicode/utf8"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// maxTypes bounds the event types that a connection remembers.
const maxTypes = 1024

func handleAppend(c *conn, r *request) {
	m := &c.write
	if err := m.Decode(r.Payload); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	events, why := c.events(m.Events)
	if why == "" {
		why = checkAppend(m)
	}
	if why != "" {
		c.badRequest(r, why)
		return
	}
	if c.redirected(r, m.RequireLeader) {
		return
	}
	id := r.Correlation
	if !c.node.mayWrite(r.user, m.Stream) {
		c.send(WriteEventsCompleted, id, appendFailed(wirepb.OperationResult_OPERATION_RESULT_ACCESS_DENIED, textAccessDenied, -1))
		return
	}
	c.node.log.Append(m.Stream, m.ExpectedVersion, events, func(w eventlog.Written) {
		c.send(WriteEventsCompleted, id, c.appendCompleted(w))
	})
}

func checkAppend(m *wire.WriteEventsBody) string {
	switch {
	case m.Stream == "" || len(m.Stream) > maxStreamName:
		return "the name of the stream must have 1 to 8,000 bytes"
	case m.ExpectedVersion < eventlog.ExpectAny && m.ExpectedVersion != eventlog.ExpectExists:
		return "invalid expected version"
	}
	return ""
}

// events turns what came over the wire into what the log takes, or says why it cannot.
func (c *conn) events(in []wire.Event) (out []eventlog.Event, why string) {
	out = make([]eventlog.Event, len(in))
	for i := range in {
		e := &in[i]
		switch {
		case len(e.ID) != 16:
			return nil, "an event id has 16 bytes"
		case [16]byte(e.ID) == [16]byte{}:
			return nil, "an event id must not be zero"
		case len(e.Type) == 0:
			return nil, "an event has no type"
		case len(e.Data)+len(e.Metadata)+2*utf16Length(e.Type) > maxEventSize:
			return nil, "an event is too large"
		}
		out[i] = eventlog.Event{
			ID: [16]byte(e.ID), Type: c.eventType(e.Type), JSON: e.ContentType == wire.ContentJSON, Data: e.Data, Metadata: e.Metadata,
		}
	}
	return out, ""
}

func utf16Length(b []byte) (n int) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n++; r > 0xffff {
			n++
		}
		b = b[size:]
	}
	return n
}

func (c *conn) eventType(b []byte) string {
	if t, ok := c.types[string(b)]; ok {
		return t
	}
	if len(c.types) >= maxTypes {
		clear(c.types)
	}
	t := string(b)
	c.types[t] = t
	return t
}

func (c *conn) appendCompleted(w eventlog.Written) *wire.WriteEventsCompletedBody {
	switch w.Outcome {
	case eventlog.WrongExpectedVersion:
		return appendFailed(wirepb.OperationResult_OPERATION_RESULT_WRONG_EXPECTED_VERSION, textWrongVersion, w.Current)
	case eventlog.StreamDeleted:
		return appendFailed(wirepb.OperationResult_OPERATION_RESULT_STREAM_DELETED, textStreamDeleted, -1)
	case eventlog.Failed:
		c.node.writeFailed(w.Err)
		return appendFailed(wirepb.OperationResult_OPERATION_RESULT_COMMIT_TIMEOUT, w.Err.Error(), -1)
	}
	return &wire.WriteEventsCompletedBody{
		First: w.First, Last: w.Last, Prepare: wire.Some(w.Position), Commit: wire.Some(w.Position), CurrentVersion: wire.Some(int64(0)),
	}
}

const (
	textWrongVersion  = "Wrong expected version."
	textStreamDeleted = "Stream is deleted."
)

func appendFailed(result wirepb.OperationResult, why string, current int64) *wire.WriteEventsCompletedBody {
	return &wire.WriteEventsCompletedBody{
		Result: result, Message: wire.Some(why), First: wire.FailedNumber, Last: wire.FailedNumber,
		Prepare: wire.Some(int64(wire.FailedNumber)), Commit: wire.Some(int64(0)), CurrentVersion: wire.Some(current),
	}
}
