package esclient

import (
	"context"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// cursor is where a page starts: a number of a stream, or a position of $all.
type cursor struct {
	number   int64
	position Position
}

// pages says which pages to read.
type pages struct {
	c        *Client
	stream   string // of a stream, else $all
	all      bool
	backward bool
	resolve  bool
	size     int
	filter   *wirepb.Filter // nil = none
	window   int
}

// page is what an answer says beside its events.
type page struct {
	from cursor // as the server says, for $all
	next cursor
	end  bool
	last int64 // number of the last event of a stream
}

// newPages checks the options of a read.
func (c *Client) newPages(name, stream string, all bool, o ReadOptions) (pages, error) {
	p := pages{c: c, stream: stream, all: all, backward: o.Backward, resolve: !o.KeepLinks, size: o.PageSize}
	if p.size == 0 {
		p.size = DefaultPageSize
	}
	switch {
	case p.size < 1 || p.size > MaxPageSize:
		return p, invalidArgument(name, stream, "PageSize is %d, want 1 to %d", o.PageSize, MaxPageSize)
	case o.Max < 0:
		return p, invalidArgument(name, stream, "Max is %d, want 0 (all) or more", o.Max)
	case !all && o.Filter != nil:
		return p, invalidArgument(name, stream, "a Filter is for $all only")
	case !all:
		return p, checkStream(name, stream)
	case o.Filter != nil:
		f, err := o.Filter.encode()
		if err != nil {
			return p, invalidArgument(name, "$all", "%v", err)
		}
		p.filter, p.window = f, o.Filter.Window
		if p.window <= 0 {
			p.window = p.size
		}
	}
	return p, nil
}

// readName is the operation, for errors and logs.
const readName = "read"

// input is what is read, for errors and logs.
func (p *pages) input() string {
	if p.all {
		return "$all"
	}
	return p.stream
}

// request makes the op that reads a page. Its answer is left in a pageReply.
func (p *pages) request(from cursor) (*op, *pageReply) {
	r := &pageReply{pages: p}
	input := p.input()
	var o *op
	switch {
	case p.filter != nil:
		cmd := wire.FilteredReadAllEventsForward
		r.want = wire.FilteredReadAllEventsForwardCompleted
		r.denied = wire.ReadAllEventsForwardCompleted
		if p.backward {
			cmd, r.want = wire.FilteredReadAllEventsBackward, wire.FilteredReadAllEventsBackwardCompleted
			r.denied = wire.ReadAllEventsBackwardCompleted
		}
		o = p.c.newOp(readName, input, cmd, r, func(dst []byte) []byte {
			return appendProto(dst, &wirepb.FilteredReadAllEvents{
				CommitPosition: &from.position.Commit, PreparePosition: &from.position.Prepare,
				MaxCount: proto.Int32(int32(p.size)), MaxSearchWindow: proto.Int32(int32(p.window)),
				ResolveLinkTos: &p.resolve, RequireLeader: proto.Bool(p.c.requireLeader()), Filter: p.filter,
			})
		})
	case p.all:
		cmd := wire.ReadAllEventsForward
		if p.backward {
			cmd = wire.ReadAllEventsBackward
		}
		r.want = cmd + 1
		o = p.c.newOp(readName, input, cmd, r, func(dst []byte) []byte {
			return appendProto(dst, &wirepb.ReadAllEvents{
				CommitPosition: &from.position.Commit, PreparePosition: &from.position.Prepare,
				MaxCount: proto.Int32(int32(p.size)), ResolveLinkTos: &p.resolve, RequireLeader: proto.Bool(p.c.requireLeader()),
			})
		})
	default:
		cmd := wire.ReadStreamEventsForward
		if p.backward {
			cmd = wire.ReadStreamEventsBackward
		}
		r.want = cmd + 1
		o = p.c.newOp(readName, input, cmd, r, func(dst []byte) []byte {
			return appendProto(dst, &wirepb.ReadStreamEvents{
				EventStreamId: &p.stream, FromEventNumber: &from.number, MaxCount: proto.Int32(int32(p.size)),
				ResolveLinkTos: &p.resolve, RequireLeader: proto.Bool(p.c.requireLeader()),
			})
		})
	}
	return o, r
}

// pageReply keeps the answer to a request of a page, so that whoever wants the events decodes them in a goroutine of his.
type pageReply struct {
	pages        *pages
	want, denied wire.Command
	got          wire.Command
	payload      []byte
	buffer       []byte       // that payload lies in, to be given back
	reader       *wire.Reader // it came from
}

func (r *pageReply) handle(p *wire.Package, reader *wire.Reader) verdict {
	if p.Command != r.want && (p.Command != r.denied || r.denied == 0) {
		return unexpected(p)
	}
	r.buffer = reader.Detach(p)
	r.got, r.payload, r.reader = p.Command, p.Payload, reader
	return done(nil)
}

// decode reads the answer, and appends its events. Afterwards the reply is used up. An error of the server is returned as
// such; a *ProtocolError means that the connection should be replaced.
func (r *pageReply) decode(d *decoder, events []Event) (pg page, _ []Event, err error) {
	before := len(events)
	field := int32(3)
	if !r.pages.all {
		field = 1
	}
	events, err = d.events(events, r.payload, field)
	if err != nil {
		err = protocolError(r.got, err)
	} else {
		pg, err = r.head(len(events) - before)
	}
	r.pages.c.core.pool.Put(r.buffer)
	r.payload, r.buffer = nil, nil
	return pg, events, err
}

// head reads the answer without its events, of which there are n.
func (r *pageReply) head(n int) (page, error) {
	switch {
	case r.pages.filter != nil && r.got == r.want:
		return r.filteredHead()
	case r.pages.all:
		return r.allHead(n)
	}
	return r.streamHead()
}

func (r *pageReply) streamHead() (page, error) {
	var m wire.StreamPage
	if err := m.DecodeHead(r.payload); err != nil {
		return page{}, protocolError(r.got, err)
	}
	pg := page{next: cursor{number: m.Next}, end: m.EndOfStream, last: m.Last}
	return pg, streamError(r.got, m.Result, m.Error.Value)
}

func streamError(cmd wire.Command, result wire.ReadStreamResult, text string) error {
	e := &ServerError{Command: cmd.String(), Message: text}
	switch result {
	case wire.ReadStreamSuccess, wire.ReadStreamNotModified:
		return nil
	case wire.ReadStreamNoStream:
		e.Result, e.is = "NoStream", ErrStreamNotFound
	case wire.ReadStreamDeleted:
		e.Result, e.is = "StreamDeleted", ErrStreamDeleted
	case wire.ReadStreamAccessDenied:
		e.Result, e.is = "AccessDenied", ErrAccessDenied
	default:
		e.Result = "Error"
	}
	return e
}

func (r *pageReply) allHead(n int) (page, error) {
	var m wire.AllPage
	if err := m.DecodeHead(r.payload); err != nil {
		return page{}, protocolError(r.got, err)
	}
	pg := page{
		from: cursor{position: Position{Commit: m.Commit, Prepare: m.Prepare}},
		next: cursor{position: Position{Commit: m.NextCommit, Prepare: m.NextPrepare}}, end: n == 0,
	}
	return pg, allError(r.got, m.Result.Value, m.Error.Value)
}

func (r *pageReply) filteredHead() (page, error) {
	var m wire.FilteredPage
	if err := m.DecodeHead(r.payload); err != nil {
		return page{}, protocolError(r.got, err)
	}
	pg := page{
		from: cursor{position: Position{Commit: m.Commit, Prepare: m.Prepare}},
		next: cursor{position: Position{Commit: m.NextCommit, Prepare: m.NextPrepare}}, end: m.EndOfStream,
	}
	return pg, allError(r.got, m.Result.Value, m.Error.Value)
}

func allError(cmd wire.Command, result wire.ReadAllResult, text string) error {
	e := &ServerError{Command: cmd.String(), Message: text}
	switch result {
	case wire.ReadAllSuccess, wire.ReadAllNotModified:
		return nil
	case wire.ReadAllAccessDenied:
		e.Result, e.is = "AccessDenied", ErrAccessDenied
	default:
		e.Result = "Error"
	}
	return e
}

// one reads one page, and decodes its events into events of their own.
func (p *pages) one(ctx context.Context, from cursor) (page, []Event, error) {
	o, r := p.request(from)
	if err := p.c.do(ctx, o); err != nil {
		return page{last: -1}, nil, err
	}
	pg, events, err := r.decode(&decoder{}, nil)
	if err != nil {
		p.c.core.distrust(r.reader, err)
		return pg, nil, o.wrap(err, true, false)
	}
	return pg, events, nil
}

// distrust replaces the connection if an answer that came over it makes no sense.
func (c *core) distrust(r *wire.Reader, err error) {
	if !isProtocolError(err) {
		return
	}
	c.mu.Lock()
	cn := c.conn
	c.mu.Unlock()
	if cn != nil && cn.reader == r {
		cn.fail(err)
	}
}

// encode makes a filter of the protocol.
func (f *Filter) encode() (*wirepb.Filter, error) {
	var m *wirepb.Filter
	n := 0
	add := func(context wirepb.Filter_Context, kind wirepb.Filter_Type, data []string) {
		if len(data) > 0 && data[0] != "" || len(data) > 1 {
			m = &wirepb.Filter{Context: context.Enum(), Type: kind.Enum(), Data: data}
			n++
		}
	}
	add(wirepb.Filter_CONTEXT_STREAM_ID, wirepb.Filter_TYPE_PREFIX, f.StreamPrefixes)
	add(wirepb.Filter_CONTEXT_STREAM_ID, wirepb.Filter_TYPE_REGEX, []string{f.StreamRegex})
	add(wirepb.Filter_CONTEXT_EVENT_TYPE, wirepb.Filter_TYPE_PREFIX, f.TypePrefixes)
	add(wirepb.Filter_CONTEXT_EVENT_TYPE, wirepb.Filter_TYPE_REGEX, []string{f.TypeRegex})
	switch {
	case n != 1:
		return nil, errFilter
	case f.Window < 0 || f.Window > math.MaxInt32:
		return nil, errWindow
	}
	return m, nil
}
