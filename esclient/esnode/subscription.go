package esnode

import (
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// volatileSub pushes what is written from now on.
type volatileSub struct {
	conn    *conn
	id      wire.CorrelationID
	stream  string // "" is all
	resolve bool
	filter  *subFilter // nil: everything
	narrow  bool       // the client's event numbers have 32 bits
	after   int64      // position of the last event that is not pushed

	mu    sync.Mutex // makes that nothing is pushed behind the end
	ended bool
}

func (s *volatileSub) deliver(e *liveEvent) {
	if e.Commit <= s.after {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if s.filter == nil {
		s.push(e)
		return
	}
	wanted, checkpoint := s.filter.pass(e)
	if wanted {
		s.push(e)
	}
	if checkpoint {
		s.conn.send(CheckpointReached, s.id, message{&wirepb.CheckpointReached{CommitPosition: &e.Commit, PreparePosition: &e.Prepare}})
	}
}

func (s *volatileSub) push(e *liveEvent) {
	r := e.Resolved
	if s.resolve {
		r = e.resolve()
	}
	s.conn.send(StreamEventAppeared, s.id, &pushBody{encoded(r, true, s.narrow)})
}

// pushBody is a StreamEventAppeared whose event is encoded already.
type pushBody struct{ event wire.EncodedEvent }

func (p *pushBody) Append(dst []byte) []byte { return p.event.AppendField(dst, 1) }

func (s *volatileSub) leave() bool {
	alive := s.end()
	s.conn.node.hub.remove(s.stream, s)
	return alive
}

// end reports whether the subscription was still alive.
func (s *volatileSub) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	alive := !s.ended
	s.ended = true
	return alive
}

func (s *volatileSub) farewell() {
	if s.end() {
		s.conn.send(SubscriptionDropped, s.id, nil)
	}
}

func handleSubscribe(c *conn, r *request) {
	var m wirepb.SubscribeToStream
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	if m.EventStreamId == nil && c.node.cfg.version20 {
		c.badRequest(r, "the name of the stream is missing")
		return
	}
	c.subscribe(r, m.GetEventStreamId(), m.GetResolveLinkTos(), nil)
}

// subscribe confirms a volatile subscription and pushes to it from then on.
func (c *conn) subscribe(r *request, stream string, resolve bool, filter *subFilter) {
	readable := stream
	if stream == "" {
		readable = allStreams
	}
	if !c.node.mayRead(r.user, readable) {
		c.refuseSubscription(r, wirepb.SubscriptionDropped_REASON_ACCESS_DENIED)
		return
	}
	s := &volatileSub{conn: c, id: r.Correlation, stream: stream, resolve: resolve, filter: filter, narrow: c.version == 0}
	c.subs[r.Correlation] = append(c.subs[r.Correlation], s)
	c.node.hub.listen(stream, s, func(lastCommit int64) {
		s.after = lastCommit
		confirm := &wirepb.SubscriptionConfirmation{LastCommitPosition: proto.Int64(lastCommit)}
		if stream != "" {
			confirm.LastEventNumber = proto.Int64(c.narrowed(c.node.log.LastNumber(stream)))
		}
		c.send(SubscriptionConfirmation, r.Correlation, message{confirm})
	})
}

// narrowed returns an event number as this client's version can hold it.
func (c *conn) narrowed(number int64) int64 {
	if c.version == 0 && number == wire.TombstoneNumber {
		return maxInt32
	}
	return number
}

// refuseSubscription refuses a subscription.
func (c *conn) refuseSubscription(r *request, reason wirepb.SubscriptionDropped_Reason) {
	c.send(SubscriptionDropped, r.Correlation, message{&wirepb.SubscriptionDropped{Reason: reason.Enum()}})
}

// handleUnsubscribe ends all subscriptions of an id. An unknown id gets no answer.
func handleUnsubscribe(c *conn, r *request) {
	if err := proto.Unmarshal(r.Payload, &emptypb.Empty{}); err != nil {
		c.badRequest(r, err.Error())
		return
	}
	alive := false
	for _, s := range c.subs[r.Correlation] {
		alive = s.leave() || alive
	}
	delete(c.subs, r.Correlation)
	if alive {
		c.send(SubscriptionDropped, r.Correlation, nil)
	}
}
