package esnode

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// parking is a message that goes to the parked stream of its group.
type parking struct {
	message *groupMessage
	reason  string
}

// parkedMetadata is the metadata of a parked stream after a replay.
const parkedMetadata = `{"$tb":%d,"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$admins","$mw":"$admins"}}`

func reachedRetries(n int) string { return fmt.Sprintf("Reached retry count of %d", n) }

// startParking takes a message out of delivery. Until the link to it is in the log, it holds the checkpoint back.
func (g *group) startParking(m *groupMessage, reason string) {
	m.parking = true
	g.outstanding[m.id] = m
	g.parks = append(g.parks, parking{m, reason})
}

// park writes the link.
func (g *group) park(p parking) {
	target := p.message.event.Event
	if target == nil {
		target = p.message.event.Link
	}
	e, ok := eventlog.ParseEvent(target)
	if !ok {
		return
	}
	data := append(append(strconv.AppendInt(nil, e.Number, 10), '@'), e.Stream...)
	meta, err := json.MarshalIndent(struct {
		Added  string `json:"added"`
		Reason string `json:"reason"`
		Number int64  `json:"subscriptionEventNumber,omitempty"`
	}{g.node.cfg.clock.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00"), p.reason, p.message.number}, "", "  ")
	if err != nil {
		return
	}
	link := eventlog.Event{ID: newGUID(), Type: "$>", Data: data, Metadata: meta}
	g.node.log.Append(g.settings.parkedStream(), eventlog.ExpectAny, []eventlog.Event{link}, func(w eventlog.Written) {
		if w.Outcome != eventlog.Success {
			g.node.cfg.log.Error("event cannot be parked", "subscription", g.settings.key(), "event_number", p.message.number, "err", w.Err)
		}
		g.mu.Lock()
		g.complete(p.message)
		g.markCheckpoint(false, g.node.cfg.clock.Now())
		g.mu.Unlock()
		g.signal()
	})
}

// replayParked delivers what is parked once more, and then hides it in the parked stream.
func (g *group) replayParked() {
	log, stream := g.node.log, g.settings.parkedStream()
	end := log.LastNumber(stream) + 1
	for from := int64(0); from < end; {
		p := log.ReadStream(stream, from, int(min(end-from, maxGroupRead)), false, true)
		if p.Err != nil {
			g.node.readFailed(p.Err)
		}
		done := p.Result != eventlog.ReadSuccess || p.End
		from = p.Next
		g.mu.Lock()
		for i := range p.Events {
			m := newGroupMessage(p.Events[i])
			m.replayed = true
			if m.number < end {
				g.retry = append(g.retry, m)
			}
		}
		g.pump()
		g.mu.Unlock()
		p.Release()
		if done {
			break
		}
	}
	if end > 0 {
		tb := eventlog.Event{ID: newGUID(), Type: "$metadata", JSON: true, Data: fmt.Appendf(nil, parkedMetadata, end)}
		log.Append("$$"+stream, eventlog.ExpectAny, []eventlog.Event{tb}, g.written("parked events cannot be hidden"))
	}
}

// written returns what to do when something of the group was written: nothing, unless it failed.
func (g *group) written(trouble string) func(eventlog.Written) {
	return func(w eventlog.Written) {
		if w.Outcome != eventlog.Success {
			g.node.cfg.log.Error(trouble, "subscription", g.settings.key(), "err", w.Err)
		}
	}
}
