package eventlog

import (
	"math"
	"slices"
	"time"
)

// view is a stream as a reader sees it: the committed events and what its metadata hides.
type view struct {
	events []loc
	min    int64     // first visible number
	since  time.Time // older events are hidden; zero: none
	soft   bool      // soft-deleted
	gone   bool      // hard-deleted
}

func (v *view) last() int64 { return int64(len(v.events)) - 1 }

// exists reports whether there is anything to read.
func (v *view) exists() bool { return len(v.events) > 0 && !v.soft && !v.gone }

// view returns what can be seen of a stream before head. The caller holds the lock at least for reading.
func (l *Log) view(name string, head int64) (v view, err error) {
	s := l.stream(name)
	if s == nil && IsMetadata(name) {
		if original := l.stream(OriginalOf(name)); original != nil {
			v.gone = original.gone(head)
		}
	}
	if s == nil {
		return v, nil
	}
	v.events, v.gone = s.visible(head), s.gone(head)
	if s.of != nil {
		v.min = max(0, v.last())
		return v, nil
	}
	if s.meta == nil {
		return v, nil
	}
	m, err := l.metadataAt(s, s.meta.visible(head))
	if err != nil {
		return v, err
	}
	v.soft = m.TruncateBefore == DeletedNumber
	v.min = m.TruncateBefore
	if m.MaxCount > 0 {
		v.min = max(v.min, v.last()-m.MaxCount+1)
	}
	if m.MaxAge > 0 {
		v.since = l.opts.Now().Add(-m.MaxAge)
	}
	return v, nil
}

// expired reports whether the age of an event hides it.
func (v *view) expired(event []byte) bool {
	if v.since.IsZero() {
		return false
	}
	e, ok := ParseEvent(event)
	return ok && e.Time().Before(v.since)
}

func (l *Log) lockedView(name string, head int64) (view, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.view(name, head)
}

// LastNumber returns the number of the last committed event of a stream, [DeletedNumber] if it was hard-deleted, -1 if
// there is none.
func (l *Log) LastNumber(name string) int64 {
	v, _ := l.lockedView(name, l.head.Load())
	if v.gone {
		return DeletedNumber
	}
	return v.last()
}

// ReadEvent reads one event of a stream; number -1 is the last one.
func (l *Log) ReadEvent(name string, number int64, resolve bool) *Page {
	p := l.newPage()
	head := l.head.Load()
	v, err := l.lockedView(name, head)
	if err != nil {
		return p.fail(err)
	}
	if number == -1 {
		number = v.last()
	}
	p.Result = l.findEvent(p, &v, number)
	if p.Result == ReadError {
		return p.fail(p.Err)
	}
	if IsMetadata(name) && (p.Result == ReadNoStream || p.Result == ReadNotFound) {
		if of, err := l.lockedView(OriginalOf(name), head); err == nil && len(of.events) > 0 {
			p.Result = ReadSuccess // "no metadata", as the server says it
		}
	}
	if resolve {
		if err := l.resolve(p, head); err != nil {
			return p.fail(err)
		}
	}
	return p
}

func (l *Log) findEvent(p *Page, v *view, number int64) ReadResult {
	switch {
	case v.gone:
		return ReadStreamDeleted
	case !v.exists():
		return ReadNoStream
	case number < v.min || number > v.last():
		return ReadNotFound
	}
	at := v.events[number]
	r, err := l.fetchOne(&p.mem, at)
	if err != nil {
		p.Err = err
		return ReadError
	}
	if v.expired(at.event(r)) {
		return ReadNotFound
	}
	p.add(r, at)
	return ReadSuccess
}

func (p *Page) add(r record, at loc) {
	p.Events = append(p.Events, Resolved{Event: at.event(r), Commit: at.commit(r), Prepare: at.pos()})
}

// addRecord adds an event that was found by walking the log.
func (p *Page) addRecord(r record, pos int64) {
	p.Events = append(p.Events, Resolved{Event: r.event(), Commit: r.commit(pos), Prepare: pos, Tombstone: r.kind() == kindTombstone})
}

// ReadStream reads count events of a stream from a number on, upwards or downwards; from -1 downwards is the last event.
func (l *Log) ReadStream(name string, from int64, count int, backward, resolve bool) *Page {
	p := l.newPage()
	p.LastCommit = l.lastCommit.Load() // before the head, so that the page is never behind it
	head := l.head.Load()
	v, err := l.lockedView(name, head)
	if err != nil {
		return p.fail(err)
	}
	p.Last, p.Next, p.End = v.last(), -1, true
	if v.gone {
		p.Result, p.Last = ReadStreamDeleted, DeletedNumber
		return p
	}
	if !v.exists() {
		p.Result = ReadNoStream
		return p
	}
	if backward {
		err = l.pageDown(p, &v, from, int64(count))
	} else {
		err = l.pageUp(p, &v, from, int64(count))
	}
	if err == nil && resolve {
		err = l.resolve(p, head)
	}
	if err != nil {
		return p.fail(err)
	}
	return p
}

func (l *Log) pageUp(p *Page, v *view, from, count int64) error {
	last := v.last()
	end := from + count - 1
	if end < from {
		end = math.MaxInt64
	}
	if end < v.min {
		p.Next, p.End = v.min, false
		return nil
	}
	p.Next, p.End = min(end+1, last+1), end >= last // from the largest number on this overflows, also on the server
	first := max(from, v.min)
	end = min(end, last)
	if first > end {
		return nil
	}
	read, err := l.take(p, v, v.events[first:end+1])
	if err != nil {
		return err
	}
	if first+read <= end { // ended early, by size
		p.Next, p.End = first+read, false
	}
	return nil
}

func (l *Log) pageDown(p *Page, v *view, from, count int64) error {
	last := v.last()
	if from == -1 {
		from = last
	}
	if from < v.min {
		return nil
	}
	low := from - count + 1
	first, end := max(low, v.min, 0), min(from, last)
	if low > v.min {
		p.Next, p.End = min(low-1, last), false
	}
	if first > end {
		return nil
	}
	places := make([]loc, 0, end-first+1)
	for n := end; n >= first; n-- {
		places = append(places, v.events[n])
	}
	read, err := l.takeDown(p, v, places)
	if err != nil {
		return err
	}
	if end-read >= first {
		p.Next, p.End = end-read, false
	}
	return nil
}

// take reads the events at these places into the page and returns how many it looked at.
func (l *Log) take(p *Page, v *view, places []loc) (int64, error) {
	p.Events = slices.Grow(p.Events, len(places))
	n, err := l.fetch(&p.mem, places, func(r record, at loc) {
		if v.since.IsZero() || !v.expired(at.event(r)) {
			p.add(r, at)
		}
	})
	return int64(n), err
}

// takeDown is take for places in descending order, which are read in ascending order in pieces of one run each. A piece is
// small enough to be read completely, or is a single record.
func (l *Log) takeDown(p *Page, v *view, places []loc) (read int64, err error) {
	expired := false
	for len(places) > 0 && p.mem.used < maxPage {
		n := 1
		for n < len(places) && places[0].pos()-places[n].pos() < maxRun/2 {
			n++
		}
		run := slices.Clone(places[:n])
		slices.Reverse(run)
		first := len(p.Events)
		if _, err = l.fetch(&p.mem, run, func(r record, at loc) {
			if v.expired(at.event(r)) {
				expired = true
				return
			}
			p.add(r, at)
		}); err != nil {
			return 0, err
		}
		slices.Reverse(p.Events[first:])
		places, read = places[n:], read+int64(n)
	}
	if expired {
		p.Next, p.End = -1, true // older ones are expired too
	}
	return read, nil
}
