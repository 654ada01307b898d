package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleReadAllForward(c *conn, r *request) { readAll(c, r, ReadAllEventsForwardCompleted, false) }

func handleReadAllBackward(c *conn, r *request) { readAll(c, r, ReadAllEventsBackwardCompleted, true) }

func readAll(c *conn, r *request, reply Command, backward bool) {
	var m wirepb.ReadAllEvents
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if c.redirectedRead(r, m.GetRequireLeader()) {
		return
	}
	from := eventlog.Position{Commit: m.GetCommitPosition(), Prepare: m.GetPreparePosition()}
	fail := func(result wire.ReadAllResult, why string) {
		page := wire.AllPage{Commit: from.Commit, Prepare: from.Prepare, NextCommit: -1, NextPrepare: -1, Result: wire.Some(result)}
		if why != "" {
			page.Error = wire.Some(why)
		}
		c.send(reply, r.Correlation, &page)
	}
	switch {
	case m.GetMaxCount() > maxPageCount:
		fail(wire.ReadAllError, "Read size too big")
		return
	case !c.node.mayRead(r.user, allStreams):
		fail(wire.ReadAllAccessDenied, "")
		return
	}
	p := c.node.log.ReadAll(eventlog.AllQuery{From: from, Count: int(m.GetMaxCount()), Backward: backward, Resolve: m.GetResolveLinkTos()})
	defer p.Release()
	if p.Err != nil {
		c.node.readFailed(p.Err)
		fail(wire.ReadAllError, p.Err.Error())
		return
	}
	if m.GetResolveLinkTos() && !c.node.mayReadTargets(r.user, p.Events) {
		fail(wire.ReadAllAccessDenied, "")
		return
	}
	page := wire.AllPage{
		Commit: p.Position.Commit, Prepare: p.Position.Prepare, NextCommit: p.NextPos.Commit, NextPrepare: p.NextPos.Prepare,
	}
	frame, start := wire.BeginFrame(c.node.buffers.get(), wire.Command(reply), 0, r.Correlation, wire.Auth{})
	frame = page.AppendHead(frame)
	for i := range p.Events {
		e := encoded(p.Events[i], true, c.version == 0)
		frame = e.AppendField(frame, 3)
	}
	c.sendPage(reply, wire.EndFrame(page.AppendTail(frame), start))
}
