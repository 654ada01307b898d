package eventlog

import "time"

// softDelete is the metadata of a soft-deleted stream.
const softDelete = `{"$tb":9223372036854775807}`

// Delete deletes a stream if its version is as expected: hard, so that it can never be used again, or soft, so that
// reading finds nothing and writing goes on behind the old events. done is called like that of [Log.Append].
func (l *Log) Delete(name string, expected int64, hard bool, done func(Written)) {
	if err := l.begin(); err != nil {
		done(Written{Outcome: Failed, Err: err})
		return
	}
	w, err := l.mayDelete(name, expected)
	if err != nil || w.Outcome != Success {
		l.mu.Unlock()
		if err != nil {
			w = Written{Outcome: Failed, Err: err}
		}
		done(w)
		return
	}
	now := l.opts.Now()
	l.beginWrite(1)
	if hard {
		w.Position = l.bury(l.openStream(name), now)
	} else {
		w.Position = l.putMetadata(l.openStream(metaPrefix+name), []byte(softDelete), now)
	}
	l.finish(told(done, w))
}

func (l *Log) mayDelete(name string, expected int64) (Written, error) {
	s := l.stream(name)
	if l.tombstoned(s, name) {
		return Written{Outcome: StreamDeleted}, nil
	}
	cur := s.last()
	soft, err := l.softDeleted(s)
	if err != nil {
		return Written{}, err
	}
	if expected == ExpectAny || expected == cur || expected == ExpectNone && soft {
		return Written{}, nil
	}
	return Written{Outcome: WrongExpectedVersion, Current: cur}, nil
}

func (l *Log) bury(s *stream, now time.Time) int64 {
	e := &Event{ID: newID(), Type: "$streamDeleted"}
	s.tombstone = l.put(kindTombstone, 0, func(b []byte) []byte { return appendEvent(b, s.name, DeletedNumber, e, now) })
	s.deleted = true
	return s.tombstone.pos()
}

// undeletion is how a soft-deleted stream comes to exist again: its metadata says from which number on. The nil
// undeletion does nothing.
type undeletion struct {
	stream *stream
	json   []byte
}

// undeleteFor returns what has to follow when these events are written to a soft-deleted stream or to its metadata.
func (l *Log) undeleteFor(s *stream, events []Event) *undeletion {
	target := s
	if s.of != nil {
		target = s.of
	}
	// That the log can be read was seen when the write was decided on.
	if soft, err := l.softDeleted(target); err != nil || !soft || len(events) == 0 {
		return nil
	}
	if s.of == nil {
		return &undeletion{s, withTruncateBefore(l.metadataJSON(s), s.last()+1)}
	}
	if len(target.events) == 0 {
		return nil
	}
	return &undeletion{target, withTruncateBefore(events[len(events)-1].Data, target.last()+1)}
}

func (u *undeletion) records() int {
	if u == nil {
		return 0
	}
	return 1
}

func (u *undeletion) write(l *Log, now time.Time) {
	if u != nil {
		l.putMetadata(u.stream.meta, u.json, now)
	}
}

// putMetadata appends one event to a metadata stream.
func (l *Log) putMetadata(s *stream, json []byte, now time.Time) int64 {
	number := s.last() + 1
	e := &Event{ID: newID(), Type: "$metadata", JSON: true, Data: json}
	at := l.put(kindEvent, 0, func(b []byte) []byte { return appendEvent(b, s.name, number, e, now) })
	s.events = append(s.events, at)
	return at.pos()
}
