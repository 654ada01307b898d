package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleAck(c *conn, r *request) {
	var m wirepb.PersistentSubscriptionAckEvents
	ids, why := groupIDs(r.Payload, &m, func() [][]byte { return m.ProcessedEventIds })
	if why != "" {
		c.badRequest(r, why)
		return
	}
	if g := c.groupOf(r.Correlation, m.GetSubscriptionId()); g != nil {
		g.ack(ids)
	}
}

func handleNak(c *conn, r *request) {
	var m wirepb.PersistentSubscriptionNakEvents
	ids, why := groupIDs(r.Payload, &m, func() [][]byte { return m.ProcessedEventIds })
	if why != "" {
		c.badRequest(r, why)
		return
	}
	action := m.GetAction()
	if m.Action == nil && len(m.ProtoReflect().GetUnknown()) > 0 {
		action = wirepb.PersistentSubscriptionNakEvents_ACTION_SKIP // the server takes undefined actions for that
	}
	if g := c.groupOf(r.Correlation, m.GetSubscriptionId()); g != nil {
		g.nak(ids, action, m.GetMessage())
	}
}

// groupIDs decodes the ids of an ack or a nak.
func groupIDs(payload []byte, m proto.Message, raw func() [][]byte) (ids [][16]byte, why string) {
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, err.Error()
	}
	for _, id := range raw() {
		if len(id) != 16 {
			return nil, "an event id has 16 bytes"
		}
		ids = append(ids, [16]byte(id))
	}
	if len(ids) == 0 {
		return nil, "there are no event ids"
	}
	return ids, ""
}

// groupOf returns the group that a connection consumes under this id, nil if it does not.
func (c *conn) groupOf(id wire.CorrelationID, subscription string) *group {
	for _, s := range c.subs[id] {
		if cons, ok := s.(*consumer); ok && cons.group.settings.key() == subscription {
			return cons.group
		}
	}
	return nil
}

// ack completes messages.
func (g *group) ack(ids [][16]byte) {
	g.mu.Lock()
	for _, id := range ids {
		if m := g.outstanding[id]; m != nil && !m.parking {
			g.complete(m)
		}
	}
	g.markCheckpoint(false, g.node.cfg.clock.Now())
	g.pump()
	hungry := len(g.ready) < g.settings.Buffer/2 || g.checkpoint.due
	g.mu.Unlock()
	if hungry {
		g.signal()
	}
}

func (g *group) complete(m *groupMessage) {
	g.settle(m)
	delete(g.outstanding, m.id)
	g.delivering.remove(m)
}

func (g *group) nak(ids [][16]byte, action wirepb.PersistentSubscriptionNakEvents_Action, why string) {
	g.mu.Lock()
	for _, id := range ids {
		m := g.outstanding[id]
		if m == nil || m.parking {
			continue
		}
		switch action {
		case wirepb.PersistentSubscriptionNakEvents_ACTION_UNKNOWN, wirepb.PersistentSubscriptionNakEvents_ACTION_RETRY:
			g.again(m)
		case wirepb.PersistentSubscriptionNakEvents_ACTION_PARK:
			g.settle(m)
			g.startParking(m, "Client explicitly NAK'ed message.\n"+why)
		default:
			g.complete(m)
		}
	}
	g.markCheckpoint(false, g.node.cfg.clock.Now())
	g.pump()
	g.mu.Unlock()
	g.signal()
}
