package esnode

import (
	"strconv"
	"strings"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// checkpointing is how far a group has come, and what of that is in the log.
type checkpointing struct {
	last int64 // written or about to be; -1 after each start, like on the server
	at   time.Time
	due  bool // last is to be written
}

// take returns what is to be written.
func (c *checkpointing) take() (position int64, write bool) {
	write, c.due = c.due, false
	return c.last, write
}

// markCheckpoint decides whether the position is written: when enough events are complete, or on the sweep when some are
// and enough time has passed.
func (g *group) markCheckpoint(sweep bool, now time.Time) {
	lowest := g.lastPushed
	if number, ok := g.delivering.lowest(); ok {
		lowest = number - 1
	}
	c, s := &g.checkpoint, &g.settings
	progress := lowest - c.last
	byTime := sweep && s.CheckpointAfter > 0 && progress >= s.CheckpointMin && now.Sub(c.at) >= s.checkpointAfter()
	if progress <= 0 || !byTime && progress < s.CheckpointMax {
		return
	}
	c.last, c.at, c.due = lowest, now, true
}

func (g *group) saveCheckpoint(position int64) {
	e := eventlog.Event{ID: newGUID(), Type: "SubscriptionCheckpoint", JSON: true, Data: strconv.AppendInt(nil, position, 10)}
	g.node.log.Append(g.settings.checkpointStream(), eventlog.ExpectAny, []eventlog.Event{e}, g.written("checkpoint cannot be written"))
}

// loadCheckpoint returns the last position in the log.
func (g *group) loadCheckpoint() (int64, bool) {
	p := g.node.log.ReadEvent(g.settings.checkpointStream(), -1, false)
	defer p.Release()
	if len(p.Events) != 1 {
		return 0, false
	}
	e, _ := eventlog.ParseEvent(p.Events[0].Event)
	n, err := strconv.ParseInt(strings.Trim(string(e.Data), `"`), 10, 64)
	return n, err == nil
}
