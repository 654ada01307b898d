package eventlog

import (
	"bytes"
	"math"
	"strconv"
)

// Target is where a link points.
type Target struct {
	Stream string
	Number int64
}

// ParseLink decodes the data of a link: <number>@<stream>, split at the first "@".
func ParseLink(data []byte) (Target, bool) {
	number, name, found := bytes.Cut(data, []byte("@"))
	if !found {
		return Target{}, false
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return Target{}, false
	}
	return Target{Stream: string(name), Number: n}, true
}

// resolve replaces the links of a page by what they point to.
func (l *Log) resolve(p *Page, head int64) error {
	for i := range p.Events {
		if err := l.resolveOne(&p.mem, &p.Events[i], head); err != nil {
			return err
		}
	}
	return nil
}

// resolveOne follows a link. A link whose data is malformed stays an ordinary event.
func (l *Log) resolveOne(mem *pages, r *Resolved, head int64) error {
	e, ok := ParseEvent(r.Event)
	if !ok || string(e.Type) != linkType {
		return nil
	}
	t, ok := ParseLink(e.Data)
	if !ok {
		return nil
	}
	r.Link, r.Event = r.Event, nil
	v, err := l.lockedView(t.Stream, head)
	if err != nil {
		return err
	}
	if t.Number == -1 {
		t.Number = v.last()
	}
	if !v.exists() || t.Number < v.min || t.Number > v.last() || t.Number == math.MaxInt64 {
		return nil
	}
	at := v.events[t.Number]
	found, err := l.fetchOne(mem, at)
	if err != nil || v.expired(at.event(found)) {
		return err
	}
	r.Event = at.event(found)
	return nil
}

// Resolve follows a link that is not part of a page. The event it returns is valid for ever.
func (l *Log) Resolve(r Resolved) (Resolved, error) {
	var mem pages
	err := l.resolveOne(&mem, &r, l.head.Load())
	return r, err
}
