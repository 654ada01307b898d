package eventlog

import (
	"encoding/binary"
)

// transaction is an explicit transaction, known by the position of its start record. Its events lie in the log, each in a
// record of its own, until the commit writes them again as events of the stream.
type transaction struct {
	stream      string
	expected    int64
	writes      []loc
	committed   bool
	first, last int64
}

// StartTransaction begins a transaction and calls done with its id in Position.
func (l *Log) StartTransaction(name string, expected int64, done func(Written)) {
	if err := l.begin(); err != nil {
		done(Written{Outcome: Failed, Err: err})
		return
	}
	l.beginWrite(1)
	at := l.put(kindTxStart, 0, func(b []byte) []byte {
		return append(binary.LittleEndian.AppendUint64(b, uint64(expected)), name...)
	})
	l.tx[at.pos()] = &transaction{stream: name, expected: expected}
	l.finish(told(done, Written{Position: at.pos()}))
}

// WriteTransaction adds events to a transaction. Events for one that does not exist, or was committed, are accepted and
// lost.
func (l *Log) WriteTransaction(id int64, events []Event, done func(Written)) {
	if err := l.begin(); err != nil {
		done(Written{Outcome: Failed, Err: err})
		return
	}
	t := l.tx[id]
	if t == nil || t.committed {
		l.mu.Unlock()
		done(Written{})
		return
	}
	now := l.opts.Now()
	l.beginWrite(len(events))
	for i := range events {
		t.writes = append(t.writes, l.put(kindTxWrite, 0, func(b []byte) []byte {
			return appendEvent(binary.LittleEndian.AppendUint64(b, uint64(id)), t.stream, 0, &events[i], now)
		}))
	}
	l.finish(told(done, Written{}))
}

// TransactionStream returns the stream of a transaction, committed or not.
func (l *Log) TransactionStream(id int64) (name string, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.tx[id]
	if t == nil {
		return "", false
	}
	return t.stream, true
}

// CommitTransaction writes the events of a transaction to its stream, if the version of that is as expected when the
// transaction was started.
func (l *Log) CommitTransaction(id int64, done func(Written)) {
	if err := l.begin(); err != nil {
		done(Written{Outcome: Failed, Err: err})
		return
	}
	w, again, events, err := l.mayCommit(id)
	if err != nil || w.Outcome != Success {
		l.mu.Unlock()
		if err != nil {
			w = Written{Outcome: Failed, Err: err}
		}
		done(w)
		return
	}
	t := l.tx[id]
	if !again {
		w = l.writeCommit(l.openStream(t.stream), id, events)
	}
	t.committed, t.first, t.last, t.writes = true, w.First, w.Last, nil
	l.finish(told(done, w))
}

func (l *Log) mayCommit(id int64) (w Written, again bool, events []Event, err error) {
	t := l.tx[id]
	if t == nil {
		return Written{Outcome: NoTransaction}, false, nil, nil
	}
	if t.committed {
		return Written{First: t.first, Last: t.last, Position: -1}, true, nil, nil
	}
	for _, at := range t.writes {
		var buf []byte
		r, err := l.recordAt(at, &buf)
		if err != nil {
			return w, false, nil, err
		}
		e, _ := ParseEvent(r.body()[8:])
		events = append(events, Event{ID: [16]byte(e.ID), Type: string(e.Type), JSON: e.JSON, Data: e.Data, Metadata: e.Metadata})
	}
	w, again, err = l.decide(l.stream(t.stream), t.stream, t.expected, events)
	return w, again, events, err
}

// writeCommit appends the events and the commit record, whose position the events share as theirs in the log.
func (l *Log) writeCommit(s *stream, id int64, events []Event) Written {
	undelete := l.undeleteFor(s, events)
	w := Written{First: s.last() + 1, Last: s.last() + int64(len(events))}
	now := l.opts.Now()
	w.Position = l.next
	for i := range events {
		l.scratch = appendEvent(l.scratch[:0], s.name, w.First+int64(i), &events[i], now)
		w.Position += int64(recordMin + 8 + len(l.scratch))
	}
	begin := l.next
	l.beginWrite(len(events) + 1 + l.linkCount(s, events) + undelete.records())
	for i := range events {
		number := s.last() + 1
		s.events = append(s.events, l.put(kindEvent, flagTransaction, func(b []byte) []byte {
			return appendEvent(binary.LittleEndian.AppendUint64(b, uint64(w.Position)), s.name, number, &events[i], now)
		}))
		l.ids.add(s, events[i].ID, number)
	}
	l.put(kindTxCommit, 0, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint64(b, uint64(begin))
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
		b = binary.LittleEndian.AppendUint64(b, uint64(w.First))
		return binary.LittleEndian.AppendUint64(b, uint64(w.Last))
	})
	l.link(s, w.First, events, now)
	undelete.write(l, now)
	return w
}

// told returns what a waiter does that answers with w unless the disk failed.
func told(done func(Written), w Written) func(error) {
	return func(err error) {
		if err != nil {
			w = Written{Outcome: Failed, Err: err}
		}
		done(w)
	}
}
