package esnode

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// forwardTimeout is how long a follower waits for a leader that does not answer.
const forwardTimeout = 5 * time.Second

// redirected answers a write that this member may not serve, and reports whether it did. A write that does not ask for
// the leader is forwarded to it: the members share one log, so that is served right here, unless the leader is dead.
func (c *conn) redirected(r *request, requireLeader bool) bool {
	if c.member.leads() {
		return false
	}
	if requireLeader {
		c.notLeader(r)
		return true
	}
	if !c.node.leader().dead.Load() {
		return false
	}
	cmd, id := Command(r.Command), r.Correlation
	c.node.after(forwardTimeout, func() { c.sendForwardTimeout(cmd, id) })
	return true
}

// redirectedRead is redirected for reads, which any member may serve from what it has.
func (c *conn) redirectedRead(r *request, requireLeader bool) bool {
	if requireLeader && !c.member.leads() {
		c.notLeader(r)
		return true
	}
	return false
}

// notLeader tells a client where the leader is, or was.
func (c *conn) notLeader(r *request) {
	info, err := proto.Marshal(c.node.leader().info())
	if err != nil {
		return
	}
	c.send(NotHandled, r.Correlation, message{&wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_LEADER.Enum(), AdditionalInfo: info}})
}

func (m *member) info() *wirepb.LeaderInfo {
	host, port := hostPort(m.tcp)
	info := &wirepb.LeaderInfo{
		ExternalTcpAddress: &host, ExternalTcpPort: proto.Int32(int32(port)), ExternalHttpAddress: &host, ExternalHttpPort: proto.Int32(0),
	}
	if m.http != nil {
		_, port := hostPort(m.http.listener)
		info.ExternalHttpPort = proto.Int32(int32(port))
	}
	if m.tls != nil {
		host, port := hostPort(m.tls)
		info.ExternalSecureTcpAddress, info.ExternalSecureTcpPort = &host, proto.Int32(int32(port))
	}
	return info
}

// sendForwardTimeout answers a write that was forwarded to a dead leader.
func (c *conn) sendForwardTimeout(cmd Command, id wire.CorrelationID) {
	const why = "Forwarding timeout"
	result := wirepb.OperationResult_OPERATION_RESULT_FORWARD_TIMEOUT
	switch cmd {
	case WriteEvents:
		c.send(WriteEventsCompleted, id, appendFailed(result, why, -1))
	case DeleteStream:
		c.send(DeleteStreamCompleted, id, deleteReply(result, why, -1))
	case TransactionStart:
		c.send(TransactionStartCompleted, id, message{&wirepb.TransactionStartCompleted{
			TransactionId: proto.Int64(-1), Result: result.Enum(), Message: proto.String(why),
		}})
	case TransactionWrite:
		c.send(TransactionWriteCompleted, id, message{&wirepb.TransactionWriteCompleted{
			TransactionId: proto.Int64(-1), Result: result.Enum(), Message: proto.String(why),
		}})
	case TransactionCommit:
		c.send(TransactionCommitCompleted, id, message{commitReply(-1, result, why, eventlog.Written{First: wire.FailedNumber, Last: wire.FailedNumber})})
	}
}
