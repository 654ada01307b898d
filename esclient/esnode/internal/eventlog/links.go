package eventlog

import (
	"strconv"
	"strings"
	"time"
)

const linkType = "$>"

// linked reports whether the events of a stream get the links of the system projections.
func (l *Log) linked(s *stream) bool { return l.opts.SystemLinks && !strings.HasPrefix(s.name, "$") }

// linkCount says how many records link will append.
func (l *Log) linkCount(s *stream, events []Event) (n int) {
	if !l.linked(s) || len(events) == 0 {
		return 0
	}
	if s.last() < 0 {
		n++
	}
	hasCategory := strings.Contains(s.name, "-")
	for i := range events {
		if hasCategory {
			n++
		}
		if events[i].Type != linkType {
			n++
		}
	}
	return n
}

// link appends the links of events that were just written, from number first on: to $ce-<category> (the name up to its
// first "-"), to $et-<type> unless the event is a link itself, and for the first event of the stream to $streams.
func (l *Log) link(s *stream, first int64, events []Event, now time.Time) {
	if !l.linked(s) || len(events) == 0 {
		return
	}
	category, _, hasCategory := strings.Cut(s.name, "-")
	var buf [256]byte
	for i := range events {
		e, number := &events[i], first+int64(i)
		data := append(append(strconv.AppendInt(buf[:0], number, 10), '@'), s.name...)
		position := s.events[number].pos()
		if number == 0 {
			l.putLink("$streams", data, position, now)
		}
		if hasCategory && e.Type == linkType {
			l.putLink("$ce-"+category, e.Data, position, now)
		} else if hasCategory {
			l.putLink("$ce-"+category, data, position, now)
		}
		if e.Type != linkType {
			l.putLink("$et-"+e.Type, data, position, now)
		}
	}
}

// putLink appends a link as the projections of the server write it, with the position of what caused it.
func (l *Log) putLink(to string, data []byte, position int64, now time.Time) {
	s := l.openStream(to)
	var buf [128]byte
	meta := append(buf[:0], `{"$v":"1:-1:1:4","$c":`...)
	meta = append(strconv.AppendInt(meta, position, 10), `,"$p":`...)
	meta = append(strconv.AppendInt(meta, position, 10), '}')
	e, number := &Event{ID: newID(), Type: linkType, Data: data, Metadata: meta}, s.last()+1
	s.events = append(s.events, l.put(kindEvent, 0, func(b []byte) []byte { return appendEvent(b, s.name, number, e, now) }))
}
