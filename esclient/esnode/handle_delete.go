package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleDelete(c *conn, r *request) {
	var m wirepb.DeleteStream
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
	if !c.node.mayDelete(r.user, stream) {
		c.send(DeleteStreamCompleted, id, deleteReply(wirepb.OperationResult_OPERATION_RESULT_ACCESS_DENIED, textAccessDenied, -1))
		return
	}
	c.node.log.Delete(stream, m.GetExpectedVersion(), m.GetHardDelete(), func(w eventlog.Written) {
		result, why := c.node.outcome(w)
		if why != "" {
			w.Position = -1
		}
		c.send(DeleteStreamCompleted, id, deleteReply(result, why, w.Position))
	})
}

func deleteReply(result wirepb.OperationResult, why string, position int64) message {
	m := &wirepb.DeleteStreamCompleted{Result: result.Enum(), PreparePosition: &position, CommitPosition: &position}
	if why != "" {
		m.Message = &why
	}
	return message{m}
}

// outcome is how a write ended in the words of the protocol.
func (n *Node) outcome(w eventlog.Written) (result wirepb.OperationResult, why string) {
	switch w.Outcome {
	case eventlog.WrongExpectedVersion:
		return wirepb.OperationResult_OPERATION_RESULT_WRONG_EXPECTED_VERSION, textWrongVersion
	case eventlog.StreamDeleted:
		return wirepb.OperationResult_OPERATION_RESULT_STREAM_DELETED, textStreamDeleted
	case eventlog.NoTransaction:
		return wirepb.OperationResult_OPERATION_RESULT_ACCESS_DENIED, textAccessDenied // that is what the server says
	case eventlog.Failed:
		n.writeFailed(w.Err)
		return wirepb.OperationResult_OPERATION_RESULT_COMMIT_TIMEOUT, w.Err.Error()
	}
	return wirepb.OperationResult_OPERATION_RESULT_SUCCESS, ""
}
