package eventlog

import "sync"

// pageChunk is the size of the pieces of memory that are kept for the next page, and maxKept how many of them.
const (
	pageChunk = 1 << 20
	maxKept   = 2
)

// pages is the memory that the records of one page are read into. Memory that was handed out never moves.
type pages struct {
	chunks [][]byte // of pageChunk each, reused
	inUse  int
	free   []byte // rest of the last chunk in use
	used   int
}

// alloc returns n bytes that stay valid until reset.
func (p *pages) alloc(n int) []byte {
	p.used += n
	if n > pageChunk {
		return make([]byte, n)
	}
	if len(p.free) < n {
		if p.inUse == len(p.chunks) {
			p.chunks = append(p.chunks, make([]byte, pageChunk))
		}
		p.free = p.chunks[p.inUse]
		p.inUse++
	}
	b := p.free[:n:n]
	p.free = p.free[n:]
	return b
}

func (p *pages) reset() {
	if len(p.chunks) > maxKept { // a rare large page must not keep its memory for ever
		clear(p.chunks[maxKept:])
		p.chunks = p.chunks[:maxKept]
	}
	p.inUse, p.free, p.used = 0, nil, 0
}

// Resolved is an event of a page: EventRecord messages as they go over the wire. Event is nil for a link that cannot be
// resolved; Link is nil for an event that was not reached through a link.
type Resolved struct {
	Event     []byte
	Link      []byte
	Commit    int64 // position of Link if there is one, else of Event
	Prepare   int64
	Tombstone bool // Event is the tombstone of its stream
}

// Original returns the event that was received: the link if there is one.
func (r Resolved) Original() []byte {
	if r.Link != nil {
		return r.Link
	}
	return r.Event
}

// ReadResult is how a read ended.
type ReadResult int

// The results of a read.
const (
	ReadSuccess ReadResult = iota
	ReadNotFound
	ReadNoStream
	ReadStreamDeleted
	ReadError // see the error
)

// Page is the answer to a read. It is valid until Release.
type Page struct {
	Result     ReadResult
	Events     []Resolved
	Next       int64 // stream pages: number to go on from
	Last       int64 // stream pages: number of the last event
	End        bool  // stream pages: there is no more in this direction
	LastCommit int64
	Position   Position // pages of all streams: where this one was read from
	NextPos    Position // pages of all streams: where to go on
	Err        error    // with ReadError

	home *sync.Pool
	mem  pages
}

func (l *Log) newPage() *Page {
	p, ok := l.pages.Get().(*Page)
	if !ok {
		p = new(Page)
	}
	p.home = &l.pages
	return p
}

// Release gives the memory of the page back.
func (p *Page) Release() {
	p.mem.reset()
	clear(p.Events)
	home := p.home
	*p = Page{Events: p.Events[:0], mem: p.mem}
	home.Put(p)
}

func (p *Page) fail(err error) *Page {
	p.Result, p.Err, p.Events, p.Next, p.Last, p.End = ReadError, err, p.Events[:0], -1, -1, true
	return p
}
