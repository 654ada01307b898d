package esnode

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// groupMessage is an event on its way to a consumer of a group.
type groupMessage struct {
	event    eventlog.Resolved
	id       [16]byte // of the received event
	number   int64    // of the received event
	retries  int      // earlier deliveries
	replayed bool     // its completion does not move the checkpoint
	parking  bool     // it is being parked
	consumer *consumer
	due      time.Time // when it is delivered again; zero: never

	delivering bool // see there
}

// newGroupMessage copies an event.
func newGroupMessage(e eventlog.Resolved) *groupMessage {
	e.Event, e.Link = bytes.Clone(e.Event), bytes.Clone(e.Link)
	m := &groupMessage{event: e}
	if r, ok := eventlog.ParseEvent(e.Original()); ok {
		m.id, m.number = [16]byte(r.ID), r.Number
	}
	return m
}

// byNumber is the order in which messages are delivered again.
func byNumber(a, b *groupMessage) int { return cmp.Compare(a.number, b.number) }

// insertByNumber keeps messages that are delivered again in the order of their numbers.
func insertByNumber(list []*groupMessage, m *groupMessage) []*groupMessage {
	at, _ := slices.BinarySearchFunc(list, m, func(a, b *groupMessage) int {
		if a.number <= b.number {
			return -1
		}
		return 1
	})
	return slices.Insert(list, at, m)
}
