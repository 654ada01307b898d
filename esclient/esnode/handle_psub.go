package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleCreateGroup(c *conn, r *request) {
	settings, err := decodeSettings(r.Payload)
	if err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if c.redirected(r, true) {
		return
	}
	id := r.Correlation
	c.node.psubs.create(r.user, settings, func(ch change) {
		c.send(CreatePersistentSubscriptionCompleted, id, message{&wirepb.CreatePersistentSubscriptionCompleted{
			Result: ch.result.Enum(), Reason: &ch.reason,
		}})
	})
}

func handleUpdateGroup(c *conn, r *request) {
	settings, err := decodeSettings(r.Payload)
	if err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if c.redirected(r, true) {
		return
	}
	id := r.Correlation
	c.node.psubs.update(r.user, settings, func(ch change) {
		c.send(UpdatePersistentSubscriptionCompleted, id, groupChanged(ch))
	})
}

func handleDeleteGroup(c *conn, r *request) {
	var m wirepb.DeletePersistentSubscription
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if c.redirected(r, true) {
		return
	}
	id := r.Correlation
	c.node.psubs.delete(r.user, m.GetEventStreamId(), m.GetSubscriptionGroupName(), func(ch change) {
		c.send(DeletePersistentSubscriptionCompleted, id, groupChanged(ch))
	})
}

func groupChanged(ch change) message {
	return message{&wirepb.PersistentSubscriptionChanged{
		Result: wirepb.PersistentSubscriptionChanged_Result(ch.result).Enum(), Reason: &ch.reason,
	}}
}

// handleConnectGroup lets a consumer into a group. An empty stream name gets no answer at all.
func handleConnectGroup(c *conn, r *request) {
	var m wirepb.ConnectToPersistentSubscription
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if m.GetAllowedInFlightMessages() < 0 || m.EventStreamId == nil || m.SubscriptionId == nil {
		c.badRequest(r, "a stream, a group and a number of messages in flight are needed")
		return
	}
	if m.GetEventStreamId() == "" || c.redirected(r, true) {
		return
	}
	if !c.node.mayRead(r.user, m.GetEventStreamId()) {
		c.refuseSubscription(r, wirepb.SubscriptionDropped_REASON_ACCESS_DENIED)
		return
	}
	g := c.node.psubs.find(m.GetEventStreamId(), m.GetSubscriptionId())
	if g == nil {
		c.refuseSubscription(r, wirepb.SubscriptionDropped_REASON_NOT_FOUND)
		return
	}
	cons := &consumer{group: g, conn: c, id: r.Correlation, credits: int(m.GetAllowedInFlightMessages()), user: "anonymous"}
	if r.user != nil {
		cons.user = r.user.login
	}
	if reason, refused := g.join(cons); refused {
		c.refuseSubscription(r, reason)
		return
	}
	c.subs[r.Correlation] = append(c.subs[r.Correlation], cons)
	g.signal()
}

// join confirms a consumer and lets it in, unless there are too many.
func (g *group) join(c *consumer) (reason wirepb.SubscriptionDropped_Reason, refused bool) {
	last, commit := g.node.log.LastNumber(g.settings.Stream), g.node.log.LastCommit()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return wirepb.SubscriptionDropped_REASON_NOT_FOUND, true
	}
	if limit := g.settings.MaxSubscribers; limit > 0 && len(g.consumers) >= limit {
		return wirepb.SubscriptionDropped_REASON_SUBSCRIBER_MAX_COUNT_REACHED, true
	}
	c.conn.send(PersistentSubscriptionConfirmation, c.id, message{&wirepb.PersistentSubscriptionConfirmation{
		LastCommitPosition: &commit, SubscriptionId: proto.String(g.settings.key()), LastEventNumber: proto.Int64(c.conn.narrowed(last)),
	}})
	g.add(c)
	g.pump()
	return 0, false
}
