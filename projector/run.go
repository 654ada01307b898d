package projector

import (
	"iter"
	"slices"
	"sort"

	"github.com/photonpump/projector/projector/source"
)

// smallPage is how many events make a page of their own. Smaller ones, such as come one by one when live, are put together.
const smallPage = 64

// run is a sequence of events in the pages in which they were delivered. Pages are shared, with other projections and with
// handlers that keep a context, so they are never changed: edit copies a page first.
type run struct {
	pages []page
	bytes int // of data and metadata
}

type page struct {
	start  int // index of its first event
	events []source.Event
	joined bool // put together from small ones, so that there may be room behind its events
	edited bool // a copy of ours
}

func (p *page) end() int { return p.start + len(p.events) }

// runOf makes a run of one page.
func runOf(events ...source.Event) run {
	var r run
	r.add(events)
	return r
}

func (r *run) len() int {
	if len(r.pages) == 0 {
		return 0
	}
	return r.pages[len(r.pages)-1].end()
}

// add appends a page.
func (r *run) add(events []source.Event) {
	if len(events) == 0 {
		return
	}
	r.bytes += bytesOf(events)
	if n := len(r.pages); n > 0 && len(events) < smallPage {
		if last := &r.pages[n-1]; last.joined || len(last.events) < smallPage {
			if !last.joined {
				last.events, last.joined = slices.Clip(last.events), true // what is behind it is somebody else's
			}
			last.events = append(last.events, events...)
			return
		}
	}
	r.pages = append(r.pages, page{start: r.len(), events: events})
}

// page returns the page that holds the i-th event.
func (r *run) page(i int) *page {
	if first := &r.pages[0]; i < first.end() {
		return first
	}
	return &r.pages[sort.Search(len(r.pages), func(k int) bool { return i < r.pages[k].end() })]
}

// at returns the i-th event, to be looked at.
func (r *run) at(i int) *source.Event {
	p := r.page(i)
	return &p.events[i-p.start]
}

// lasting is at, for somebody who keeps the event: it stays as it is when edit changes it.
func (r *run) lasting(i int) *source.Event {
	p := r.page(i)
	e := &p.events[i-p.start]
	if p.edited {
		e = new(*e)
	}
	return e
}

// edit returns the i-th event, to be changed.
func (r *run) edit(i int) *source.Event {
	p := r.page(i)
	if !p.edited {
		p.events, p.edited = slices.Clone(p.events), true
	}
	return &p.events[i-p.start]
}

// slices goes through the events from one index to before another, as long pieces as there are. The index is that of the
// first event of the piece.
func (r *run) slices(from, to int) iter.Seq2[int, []source.Event] {
	return func(yield func(int, []source.Event) bool) {
		for i := range r.pages {
			p := &r.pages[i]
			a, b := max(from, p.start), min(to, p.end())
			if a < b && !yield(a, p.events[a-p.start:b-p.start]) {
				return
			}
		}
	}
}

// cut takes the first n events off.
func (r *run) cut(n int) run {
	var head run
	k := 0
	for ; k < len(r.pages) && r.pages[k].end() <= n; k++ {
	}
	head.pages = slices.Clip(r.pages[:k])
	rest := r.pages[k:]
	if len(rest) > 0 && rest[0].start < n {
		p := rest[0]
		m := n - p.start
		rest[0].events = p.events[m:]
		p.events = p.events[:m:m]
		head.pages = append(head.pages, p)
	}
	r.pages = rest
	r.number()
	for _, events := range head.slices(0, n) {
		head.bytes += bytesOf(events)
	}
	r.bytes -= head.bytes
	return head
}

// glue puts events in front.
func (r *run) glue(head run) {
	r.pages = append(head.pages, r.pages...)
	r.bytes += head.bytes
	r.number()
}

func bytesOf(events []source.Event) int {
	n := 0
	for i := range events {
		n += len(events[i].Data) + len(events[i].Metadata)
	}
	return n
}

func (r *run) number() {
	start := 0
	for i := range r.pages {
		r.pages[i].start = start
		start = r.pages[i].end()
	}
}
