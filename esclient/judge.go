package esclient

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// receive handles one package that came over cn. An error means that the connection is of no use any more.
func (c *core) receive(cn *conn, p *wire.Package) error {
	switch p.Command {
	case wire.HeartbeatRequest:
		c.control(cn, wire.HeartbeatResponse, p.Correlation, nil)
		return nil
	case wire.HeartbeatResponse, wire.Authenticated, wire.ClientIdentified:
		return nil
	}
	c.mu.Lock()
	o := c.pending[p.Correlation]
	c.mu.Unlock()
	if o == nil {
		return c.receiveUnasked(p)
	}
	cn.useful.Store(true)
	v := c.judge(o, p, cn.reader)
	switch v.kind {
	case goOnVerdict:
	case doneVerdict:
		c.finish(o, v.err)
	case retryVerdict:
		if o.ambiguous && errors.Is(v.err, ErrTimeout) {
			c.abandon(o, v.err) // the server does not know either whether it was written
			return nil
		}
		c.again(o, v.err)
	case redirectVerdict:
		return c.redirectTo(cn, o, v)
	case brokenVerdict:
		c.abandon(o, v.err)
		return v.err
	}
	return nil
}

// receiveUnasked handles a package that belongs to no pending op: usually a late answer, which nobody waits for.
func (c *core) receiveUnasked(p *wire.Package) error {
	switch {
	case p.Command == wire.BadRequest && p.Correlation == wire.CorrelationID{}:
		return &ServerError{Command: p.Command.String(), Message: string(p.Payload)}
	case !p.Command.Known():
		return protocolError(p.Command, errors.New("unknown command"))
	}
	if c.log.Enabled(c.ctx, slog.LevelDebug) { // there may be very many, after a subscription was given up
		c.log.Debug("late answer dropped", logCommand, p.Command.String(), logCorrelation, hexID(p.Correlation))
	}
	return nil
}

// judge handles the answers that every op can get, and leaves the others to its handler.
func (c *core) judge(o *op, p *wire.Package, r *wire.Reader) verdict {
	switch p.Command {
	case wire.BadRequest:
		err := &ServerError{Command: p.Command.String(), Message: string(p.Payload)}
		if isFiltered(o.cmd) && unknownCommand(err.Message) {
			err.is = ErrUnsupported
		}
		return done(err)
	case wire.NotAuthenticated:
		return done(&ServerError{Command: p.Command.String(), Message: string(p.Payload), is: ErrNotAuthenticated})
	case wire.NotHandled:
		return c.notHandled(o, p)
	}
	return o.handler.handle(p, r)
}

// unknownCommand reports whether the text of a BadRequest to a filtered command is that of a server that does not know
// it. One that does says what is wrong with the filter, in a second line.
func unknownCommand(text string) bool {
	_, reason, _ := strings.Cut(text, "\n")
	return !strings.Contains(text, "Filtered") || strings.TrimSpace(reason) == ""
}

func isFiltered(cmd wire.Command) bool {
	return cmd == wire.FilteredReadAllEventsForward || cmd == wire.FilteredReadAllEventsBackward ||
		cmd == wire.FilteredSubscribeToStream
}

func (c *core) notHandled(o *op, p *wire.Package) verdict {
	var m wirepb.NotHandled
	if err := proto.Unmarshal(p.Payload, &m); err != nil {
		return broken(p.Command, err)
	}
	why := &ServerError{Command: p.Command.String(), Result: m.GetReason().String(), is: ErrNotHandled}
	switch m.GetReason() {
	case wirepb.NotHandled_REASON_NOT_LEADER:
		why.Message = "not the leader"
		var info wirepb.LeaderInfo
		if err := proto.Unmarshal(m.GetAdditionalInfo(), &info); err != nil {
			return broken(p.Command, err)
		}
		node := leaderEndpoint(&info, c.cfg.url.tls)
		if node != (Endpoint{}) {
			return verdict{kind: redirectVerdict, err: why, node: node}
		}
		if plain := leaderEndpoint(&info, false); plain != (Endpoint{}) {
			why.Message = fmt.Sprintf("not the leader; the leader at %s names no TLS port, and this client was told to use TLS: "+
				"give each node one, or connect over tcp://", plain.Address)
		}
	case wirepb.NotHandled_REASON_IS_READ_ONLY:
		if o.write {
			return done(&ServerError{Command: p.Command.String(), Message: "a read-only replica takes no writes", is: ErrUnsupported})
		}
		why.Message = "read-only replica"
	case wirepb.NotHandled_REASON_TOO_BUSY:
		why.Message = "too busy"
	default:
		why.Message = "not ready"
	}
	return retry(why)
}

// redirectTo ends the connection in favour of one to another node; the op is sent again over that.
func (c *core) redirectTo(cn *conn, o *op, v verdict) error {
	c.again(o, v.err) // it was refused, so it is not in doubt as others are whose connection ends
	if v.node == cn.endpoint {
		return nil // it says that it is not the leader, and that it is: an election is under way
	}
	c.mu.Lock()
	c.redirect = v.node
	c.mu.Unlock()
	return &redirectError{to: v.node}
}

// redirectError ends a connection because another node is the leader.
type redirectError struct{ to Endpoint }

func (e *redirectError) Error() string { return fmt.Sprintf("redirected to the leader at %v", e.to) }
