package esnode

import (
	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

func handleReadFilteredForward(c *conn, r *request) {
	readFiltered(c, r, FilteredReadAllEventsForwardCompleted, ReadAllEventsForwardCompleted, false)
}

func handleReadFilteredBackward(c *conn, r *request) {
	readFiltered(c, r, FilteredReadAllEventsBackwardCompleted, ReadAllEventsBackwardCompleted, true)
}

// readFiltered answers a filtered read of all streams. What is denied is answered with the command of unfiltered reads,
// like by the server.
func readFiltered(c *conn, r *request, reply, denied Command, backward bool) {
	var m wirepb.FilteredReadAllEvents
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	filter, err := filterOf(m.GetFilter())
	if err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if c.redirectedRead(r, m.GetRequireLeader()) {
		return
	}
	from := eventlog.Position{Commit: m.GetCommitPosition(), Prepare: m.GetPreparePosition()}
	if !c.node.mayRead(r.user, allStreams) {
		c.send(denied, r.Correlation, &wire.AllPage{
			Commit: from.Commit, Prepare: from.Prepare, NextCommit: -1, NextPrepare: -1, Result: wire.Some(wire.ReadAllAccessDenied),
		})
		return
	}
	fail := func(why string) {
		c.send(reply, r.Correlation, &wire.FilteredPage{
			Commit: from.Commit, Prepare: from.Prepare, NextCommit: -1, NextPrepare: -1, EndOfStream: true,
			Result: wire.Some(wire.ReadAllError), Error: wire.Some(why),
		})
	}
	if m.GetMaxCount() > maxPageCount {
		fail("Read size too big")
		return
	}
	window := int(m.GetMaxSearchWindow())
	if window <= 0 {
		window = int(m.GetMaxCount())
	}
	p := c.node.log.ReadAll(eventlog.AllQuery{
		From: from, Count: int(m.GetMaxCount()), Backward: backward, Resolve: m.GetResolveLinkTos(), Filter: filter, Window: window,
	})
	defer p.Release()
	if p.Err != nil {
		c.node.readFailed(p.Err)
		fail(p.Err.Error())
		return
	}
	page := wire.FilteredPage{
		Commit: p.Position.Commit, Prepare: p.Position.Prepare, NextCommit: p.NextPos.Commit, NextPrepare: p.NextPos.Prepare, EndOfStream: p.End,
	}
	frame, start := wire.BeginFrame(c.node.buffers.get(), wire.Command(reply), 0, r.Correlation, wire.Auth{})
	frame = page.AppendHead(frame)
	for i := range p.Events {
		e := encoded(p.Events[i], true, c.version == 0)
		frame = e.AppendField(frame, 3)
	}
	c.sendPage(reply, wire.EndFrame(page.AppendTail(frame), start))
}

// handleSubscribeFiltered subscribes to what passes a filter, with a checkpoint after every so many events that were
// looked at.
func handleSubscribeFiltered(c *conn, r *request) {
	var m wirepb.FilteredSubscribeToStream
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	filter, err := filterOf(m.GetFilter())
	if err != nil {
		c.badRequest(r, err.Error())
		return
	}
	c.subscribe(r, m.GetEventStreamId(), m.GetResolveLinkTos(), &subFilter{match: filter, interval: int64(m.GetCheckpointInterval())})
}

// subFilter is the filter of a subscription.
type subFilter struct {
	match    eventlog.Filter
	interval int64 // checkpoint after so many events; -1: never
	seen     int64 // since the last checkpoint
}

// pass reports whether an event passes, and whether a checkpoint is due.
func (f *subFilter) pass(e *liveEvent) (ok, checkpoint bool) {
	rec, parsed := eventlog.ParseEvent(e.Event)
	if f.seen++; f.interval > 0 && f.seen >= f.interval {
		f.seen, checkpoint = 0, true
	}
	return parsed && f.match(rec.Stream, rec.Type), checkpoint
}
