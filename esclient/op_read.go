package esclient

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// ReadEvent reads one event of a stream; number [EndOfStream] is the last one. Errors: [ErrEventNotFound],
// [ErrStreamNotFound], [ErrStreamDeleted], [ErrAccessDenied].
func (c *Client) ReadEvent(ctx context.Context, stream string, number int64, o ReadOptions) (Event, error) {
	const name = "read event"
	if err := checkStream(name, stream); err != nil {
		return Event{}, err
	}
	if number < EndOfStream {
		return Event{}, invalidArgument(name, stream, "event number is %d, want 0 or more, or EndOfStream", number)
	}
	var event Event
	h := handlerFunc{wire.ReadEventCompleted, func(p *wire.Package, _ *wire.Reader) verdict {
		var m wire.ReadEventCompletedBody
		if err := m.Decode(p.Payload); err != nil {
			return broken(p.Command, err)
		}
		if err := readEventError(&m); err != nil {
			return done(err)
		}
		new(decoder).event(&event, &m.Event)
		return done(nil)
	}}
	err := c.do(ctx, c.newOp(name, stream, wire.ReadEvent, h, func(dst []byte) []byte {
		return appendProto(dst, &wirepb.ReadEvent{
			EventStreamId: &stream, EventNumber: &number, ResolveLinkTos: proto.Bool(!o.KeepLinks),
			RequireLeader: proto.Bool(c.requireLeader()),
		})
	}))
	if err != nil {
		return Event{}, err
	}
	return event, nil
}

func readEventError(m *wire.ReadEventCompletedBody) error {
	e := &ServerError{Command: wire.ReadEventCompleted.String(), Message: m.Error.Value}
	switch m.Result {
	case wire.ReadEventSuccess:
		if m.Event.HasEvent || m.Event.HasLink {
			return nil
		}
		// A metadata stream of a stream with events answers like this for every number it does not have.
		e.Result, e.is = "Success without an event", ErrEventNotFound
	case wire.ReadEventNotFound:
		e.Result, e.is = "NotFound", ErrEventNotFound
	case wire.ReadEventNoStream:
		e.Result, e.is = "NoStream", ErrStreamNotFound
	case wire.ReadEventStreamDeleted:
		e.Result, e.is = "StreamDeleted", ErrStreamDeleted
	case wire.ReadEventAccessDenied:
		e.Result, e.is = "AccessDenied", ErrAccessDenied
	default:
		e.Result = "Error"
	}
	return e
}

// ReadStream reads a page of a stream, from number from on; for a backward read [EndOfStream] is the end. Errors:
// [ErrStreamNotFound], [ErrStreamDeleted], [ErrAccessDenied].
//
// A page may be short, or empty, without being the end: go on with Next until End is set. With [ErrStreamNotFound] Last
// is set too: it is -1 unless the stream was deleted softly.
func (c *Client) ReadStream(ctx context.Context, stream string, from int64, o ReadOptions) (StreamPage, error) {
	p, err := c.newPages("read", stream, false, o)
	if err != nil {
		return StreamPage{}, err
	}
	if err := p.checkStart(from); err != nil {
		return StreamPage{}, err
	}
	pg, events, err := p.one(ctx, cursor{number: from})
	if err != nil {
		return StreamPage{Last: pg.last}, err
	}
	return StreamPage{Events: events, Next: pg.next.number, Last: pg.last, End: pg.end}, nil
}

// ReadAll reads a page of the log of all events, from position from on: [Start] for a forward read, [End] for a backward
// one, or what an earlier page or event said. A forward read includes the event at the position, a backward one does not.
// It needs a user who may read $all. Errors: [ErrAccessDenied], [ErrUnsupported] for filters before server 20.6.
func (c *Client) ReadAll(ctx context.Context, from Position, o ReadOptions) (AllPage, error) {
	p, err := c.newPages("read", "", true, o)
	if err != nil {
		return AllPage{}, err
	}
	pg, events, err := p.one(ctx, cursor{position: from})
	if err != nil {
		return AllPage{}, err
	}
	return AllPage{Events: events, From: pg.from.position, Next: pg.next.position, End: pg.end}, nil
}

func (p *pages) checkStart(from int64) error {
	if from < EndOfStream || from == EndOfStream && !p.backward {
		return invalidArgument(readName, p.input(), "start is %d, want 0 or more, or EndOfStream for a backward read", from)
	}
	return nil
}

func checkStream(op, stream string) error {
	if stream == "" {
		return invalidArgument(op, stream, "no stream name")
	}
	return nil
}
