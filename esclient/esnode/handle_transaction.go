package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleTransactionStart(c *conn, r *request) {
	var m wirepb.TransactionStart
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	stream := m.GetEventStreamId()
	if stream == "" || len(stream) > maxStreamName || m.GetExpectedVersion() < eventlog.ExpectAny {
		c.badRequest(r, "a stream name and an expected version of -2 or more are needed")
		return
	}
	if c.redirected(r, m.GetRequireLeader()) {
		return
	}
	id := r.Correlation
	reply := func(tx int64, result wirepb.OperationResult, why string) {
		m := &wirepb.TransactionStartCompleted{TransactionId: &tx, Result: result.Enum()}
		if why != "" {
			m.Message = &why
		}
		c.send(TransactionStartCompleted, id, message{m})
	}
	if !c.node.mayWrite(r.user, stream) {
		reply(-1, wirepb.OperationResult_OPERATION_RESULT_ACCESS_DENIED, textAccessDenied)
		return
	}
	c.node.log.StartTransaction(stream, m.GetExpectedVersion(), func(w eventlog.Written) {
		result, why := c.node.outcome(w)
		if why != "" {
			w.Position = -1
		}
		reply(w.Position, result, why)
	})
}

func handleTransactionWrite(c *conn, r *request) {
	var m wire.TransactionWriteBody
	if err := m.Decode(r.Payload); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	events, why := c.events(m.Events)
	if why == "" && m.TransactionID < 0 {
		why = "the id of a transaction is not negative"
	}
	if why != "" {
		c.badRequest(r, why)
		return
	}
	if c.redirected(r, m.RequireLeader) {
		return
	}
	id := r.Correlation
	c.node.log.WriteTransaction(m.TransactionID, events, func(w eventlog.Written) {
		result, why := c.node.outcome(w)
		reply := &wirepb.TransactionWriteCompleted{TransactionId: &m.TransactionID, Result: result.Enum()}
		if why != "" {
			reply.Message = &why
		}
		c.send(TransactionWriteCompleted, id, message{reply})
	})
}

func handleTransactionCommit(c *conn, r *request) {
	var m wirepb.TransactionCommit
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if m.GetTransactionId() < 0 {
		c.badRequest(r, "the id of a transaction is not negative")
		return
	}
	if c.redirected(r, m.GetRequireLeader()) {
		return
	}
	id, tx := r.Correlation, m.GetTransactionId()
	reply := func(w eventlog.Written) {
		result, why := c.node.outcome(w)
		if why != "" {
			w.First, w.Last, w.Position = wire.FailedNumber, wire.FailedNumber, 0
		}
		if !c.member.leads() {
			w.Position = 0 // a follower that forwarded the commit does not know it
		}
		c.send(TransactionCommitCompleted, id, message{commitReply(tx, result, why, w)})
	}
	if stream, ok := c.node.log.TransactionStream(tx); ok && !c.node.mayWrite(r.user, stream) {
		reply(eventlog.Written{Outcome: eventlog.NoTransaction})
		return
	}
	c.node.log.CommitTransaction(tx, reply)
}

func commitReply(tx int64, result wirepb.OperationResult, why string, w eventlog.Written) *wirepb.TransactionCommitCompleted {
	return &wirepb.TransactionCommitCompleted{
		TransactionId: &tx, Result: result.Enum(), Message: &why, FirstEventNumber: &w.First, LastEventNumber: &w.Last,
		PreparePosition: &w.Position, CommitPosition: &w.Position,
	}
}
