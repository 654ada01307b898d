package esclient

import (
	"context"
	"errors"

	"github.com/photonpump/projector/esclient/internal/wire"
)

// readAhead is how many pages are asked for before they are needed. The pages of a stream can be asked for in advance,
// as event numbers are counters; $all says with each page where the next one starts.
const readAhead = 5

// pager reads page after page, and asks for the next ones before the last one is handled. It is used by one goroutine at
// a time.
type pager struct {
	pages
	next    cursor // of the page to be returned next
	asked   []ask  // in order; the first one is for next
	decoder decoder
	events  []Event // of the last page, reused
	long    bool    // a page was not the last one: there is something to read ahead
}

// ask is a page on its way.
type ask struct {
	op    *op
	reply *pageReply
	from  cursor
}

// read returns the next page. Its events are valid until the next call. Missing streams are an error of the server.
// A subscription s, nil for none, ends it as well.
func (p *pager) read(ctx context.Context, s *Subscription) (page, []Event, error) {
	a, err := p.first()
	if err != nil {
		return page{}, nil, err
	}
	var stopped, drained <-chan struct{}
	if s != nil {
		stopped, drained = s.done, s.drained
	}
	select {
	case <-a.op.done:
	default:
		select {
		case <-a.op.done:
		case <-ctx.Done():
			return page{}, nil, a.op.wrap(context.Cause(ctx), false, false) // the page stays asked for
		case <-stopped:
			return page{}, nil, ErrStopped
		case <-drained:
			return page{}, nil, ErrStopped
		}
	}
	p.asked = p.asked[1:]
	if a.op.err != nil {
		p.cancel()
		return page{}, nil, a.op.err
	}
	if p.all {
		p.askBehind(a) // so that it is under way while this one is decoded
	}
	pg, err := p.decode(a)
	if err != nil {
		p.cancel()
		return page{}, nil, err
	}
	p.next, p.long = pg.next, !pg.end
	if pg.end {
		p.cancel()
	}
	return pg, p.events, nil
}

// first returns the request of the next page, made just now if need be, and keeps others behind it.
func (p *pager) first() (ask, error) {
	if len(p.asked) > 0 && p.asked[0].from != p.next {
		p.cancel() // the stream has a gap in its numbers, and we had guessed wrong
	}
	if len(p.asked) == 0 {
		if err := p.ask(p.next); err != nil {
			return ask{}, err
		}
	}
	for !p.all && p.long && len(p.asked) < readAhead {
		last := p.asked[len(p.asked)-1].from.number
		guess := last + int64(p.size)
		if p.backward {
			guess = last - int64(p.size)
		}
		if guess < 0 || last < 0 {
			break
		}
		if err := p.ask(cursor{number: guess}); err != nil {
			return ask{}, err
		}
	}
	return p.asked[0], nil
}

func (p *pager) ask(from cursor) error {
	o, r := p.request(from)
	o.slot = false // the consumer is bounded by readAhead
	if err := p.c.core.submit(o); err != nil {
		return err
	}
	p.asked = append(p.asked, ask{op: o, reply: r, from: from})
	return nil
}

// askBehind asks for the page of $all that follows a. Errors show when it is needed.
func (p *pager) askBehind(a ask) {
	next, ok := a.reply.following()
	if ok && len(p.asked) == 0 {
		_ = p.ask(next)
	}
}

// following looks ahead into an answer for where the next page starts, without decoding its events.
func (r *pageReply) following() (next cursor, ok bool) {
	if r.pages.filter != nil {
		var m wire.FilteredPage
		err := m.DecodeHead(r.payload)
		next.position = Position{Commit: m.NextCommit, Prepare: m.NextPrepare}
		return next, err == nil && r.got == r.want && m.Result.Value == wire.ReadAllSuccess && !m.EndOfStream
	}
	var m wire.AllPage
	err := m.DecodeHead(r.payload)
	next.position = Position{Commit: m.NextCommit, Prepare: m.NextPrepare}
	moved := m.NextCommit != m.Commit || m.NextPrepare != m.Prepare
	return next, err == nil && m.Result.Value == wire.ReadAllSuccess && moved
}

func (p *pager) decode(a ask) (page, error) {
	reader := a.reply.reader
	pg, events, err := a.reply.decode(&p.decoder, p.events[:0])
	p.events = events
	if err != nil {
		p.c.core.distrust(reader, err)
		return pg, a.op.wrap(err, true, false)
	}
	return pg, nil
}

// errNotWanted ends a request whose answer is of no use any more.
var errNotWanted = errors.New("not wanted any more")

// cancel forgets the pages that were asked for.
func (p *pager) cancel() {
	for _, a := range p.asked {
		p.c.core.abandon(a.op, errNotWanted)
	}
	p.asked = p.asked[:0]
}

// restart goes on from another place.
func (p *pager) restart(next cursor) {
	p.cancel()
	p.next, p.long = next, false
}
