package eventlog

import (
	"bytes"
	"time"
)

// The expected versions that are no event number.
const (
	ExpectAny    = -2
	ExpectNone   = -1
	ExpectExists = -4
)

// Outcome is how a write ended.
type Outcome int

// The outcomes of a write.
const (
	Success Outcome = iota
	WrongExpectedVersion
	StreamDeleted
	NoTransaction // there is no transaction of that id
	Failed        // the disk did not take it; see the error
)

// Written is the answer to a write.
type Written struct {
	Outcome  Outcome
	First    int64 // numbers of the events
	Last     int64
	Position int64 // of the last record; -1 if these events had been written before
	Current  int64 // with WrongExpectedVersion: the number of the last event of the stream
	Err      error // with Failed
}

// Append writes events to a stream if its version is as expected, and calls done once they are on disk, or at once if they
// cannot be written. done is called by the goroutine that commits, so it must not block or write to the log.
func (l *Log) Append(name string, expected int64, events []Event, done func(Written)) {
	if err := l.begin(); err != nil {
		done(Written{Outcome: Failed, Err: err})
		return
	}
	s := l.stream(name)
	w, again, err := l.decide(s, name, expected, events)
	if err != nil || w.Outcome != Success {
		l.mu.Unlock()
		if err != nil {
			w = Written{Outcome: Failed, Err: err}
		}
		done(w)
		return
	}
	if !again {
		w = l.write(l.openStream(name), events)
	}
	l.finish(told(done, w))
}

// write appends the events, their links, and what a soft-deleted stream needs to exist again, as one write.
func (l *Log) write(s *stream, events []Event) Written {
	undelete := l.undeleteFor(s, events)
	w := Written{First: s.last() + 1, Last: s.last() + int64(len(events))}
	now := l.opts.Now()
	l.beginWrite(max(len(events), 1) + l.linkCount(s, events) + undelete.records())
	if len(events) == 0 {
		w.Position = l.put(kindEmpty, 0, func(b []byte) []byte { return append(b, s.name...) }).pos()
	}
	for i := range events {
		w.Position = l.putEvent(s, &events[i], now).pos()
	}
	l.link(s, w.First, events, now)
	undelete.write(l, now)
	return w
}

// putEvent appends an event to a stream and remembers its id.
func (l *Log) putEvent(s *stream, e *Event, now time.Time) loc {
	number := s.last() + 1
	at := l.put(kindEvent, 0, func(b []byte) []byte { return appendEvent(b, s.name, number, e, now) })
	s.events = append(s.events, at)
	l.ids.add(s, e.ID, number)
	return at
}

// decide says whether the events may be written: the decision table of the server. again says that they were written
// before. The error is one of reading the log.
func (l *Log) decide(s *stream, name string, expected int64, events []Event) (w Written, again bool, err error) {
	cur := s.last()
	wrong := Written{Outcome: WrongExpectedVersion, Current: cur}
	if l.tombstoned(s, name) {
		return Written{Outcome: StreamDeleted}, false, nil
	}
	soft, err := l.softDeleted(s)
	if err != nil {
		return w, false, err
	}
	if expected == ExpectExists {
		if soft {
			return Written{Outcome: StreamDeleted}, false, nil
		}
		if cur < 0 && (s == nil || s.meta.last() < 0) {
			return wrong, false, nil
		}
	}
	switch {
	case expected == ExpectAny || expected == ExpectExists:
		w, again = l.seenBefore(s, events, wrong)
		return w, again, nil
	case expected < cur:
		return l.writtenAt(s, expected+1, events, soft && expected == ExpectNone, wrong)
	case expected > cur:
		return wrong, false, nil
	}
	return w, false, nil
}

// seenBefore decides by the memory of ids, where no version is expected.
func (l *Log) seenBefore(s *stream, events []Event, wrong Written) (w Written, again bool) {
	if s == nil || len(events) == 0 {
		return w, false
	}
	for i := range events {
		number, ok := l.ids.find(s, events[i].ID)
		if !ok && i == 0 {
			return w, false
		}
		if !ok {
			return wrong, false
		}
		if i == 0 {
			w.First = number
		}
		w.Last = number
	}
	w.Position = -1
	return w, true
}

// writtenAt decides by what lies at the numbers from first on.
func (l *Log) writtenAt(s *stream, first int64, events []Event, fresh bool, wrong Written) (w Written, again bool, err error) {
	for i := range events {
		number := first + int64(i)
		same := false
		if number <= s.last() {
			if same, err = l.hasID(s, number, events[i].ID); err != nil {
				return w, false, err
			}
		}
		if !same && i == 0 && fresh {
			return w, false, nil
		}
		if !same {
			return wrong, false, nil
		}
	}
	if len(events) == 0 {
		return wrong, false, nil
	}
	return Written{First: first, Last: first + int64(len(events)) - 1, Position: -1}, true, nil
}

// hasID reports whether the event of this number has this id.
func (l *Log) hasID(s *stream, number int64, id [16]byte) (bool, error) {
	if n, ok := l.ids.find(s, id); ok && n == number {
		return true, nil
	}
	r, err := l.recordAt(s.events[number], &l.scratch)
	if err != nil {
		return false, err
	}
	stored, _ := eventID(r.event())
	return bytes.Equal(stored, id[:]), nil
}

// tombstoned reports whether the stream, or the one whose metadata it is, was hard-deleted, committed or not.
func (l *Log) tombstoned(s *stream, name string) bool {
	if s != nil && s.deleted {
		return true
	}
	if !IsMetadata(name) {
		return false
	}
	original := l.stream(OriginalOf(name))
	return original != nil && original.deleted
}
