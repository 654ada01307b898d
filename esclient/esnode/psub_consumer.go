package esnode

import (
	"github.com/photonpump/projector/esclient/internal/wire"
)

// consumer is a connection to a group. The lock of the group guards it.
type consumer struct {
	group    *group
	conn     *conn
	id       wire.CorrelationID
	user     string
	credits  int // messages it may hold
	inFlight int
	total    int64
	since    int64 // total at the last measurement
	pace     int64 // messages in the last measured second
	buckets  int   // assigned by a pinned strategy
	gone     bool
}

func (c *consumer) hasCredit() bool { return c.inFlight < c.credits }

func (c *consumer) push(m *groupMessage) {
	c.inFlight++
	c.total++
	c.conn.send(PersistentSubscriptionStreamEventAppeared, c.id, &groupPush{encoded(m.event, false, false), m.retries})
}

// groupPush is a PersistentSubscriptionStreamEventAppeared whose event is encoded already.
type groupPush struct {
	event   wire.EncodedEvent
	retries int
}

func (p *groupPush) Append(dst []byte) []byte {
	m := wire.PersistentEventAppearedBody{RetryCount: wire.Some(int64(p.retries))}
	return m.Append(p.event.AppendField(dst, 1))
}

// leave gives what the consumer holds to the others.
func (c *consumer) leave() bool { return c.group.remove(c) }
