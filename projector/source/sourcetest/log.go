// Package sourcetest is an event log in memory with faults on demand, to test what reads a [source.Source].
//
//	log := sourcetest.New()
//	log.Append("pony-1", sourcetest.JSON("pony.jumped", `{"height_m":0.6}`))
//	p := projector.New("ponies", log.Stream("pony-1"), …)
package sourcetest

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

// Op is something that a source is asked for.
type Op string

// The operations that [Log.Intercept] sees.
const (
	OpSubscribe Op = "subscribe"
	OpNext      Op = "next"
	OpHead      Op = "head"
	OpEventAt   Op = "event at"
)

// Log is an event log in memory. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	events  []source.Event // in the order of the log; Position is the log position
	streams map[string][]int
	first   map[string]int64 // first readable number, by stream
	changed chan struct{}    // closed with the next append
	hook    func(Op) error
	open    int
	opened  int // subscriptions ever
	stalled int // so many of them, the first, deliver nothing any more
}

// New returns an empty log.
func New() *Log {
	return &Log{streams: map[string][]int{}, first: map[string]int64{}, changed: make(chan struct{})}
}

// JSON returns an event with a JSON body, to be appended.
func JSON(eventType, body string) source.Event {
	return source.Event{Type: eventType, Data: []byte(body), JSON: true}
}

// Append writes events to the end of a stream. Id, stream, number and time are filled in where they are not given.
func (l *Log) Append(stream string, events ...source.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if e.ID == uuid.Nil {
			e.ID = uuid.New()
		}
		if e.Created.IsZero() {
			e.Created = time.Now()
		}
		e.Stream, e.Number = stream, int64(len(l.streams[stream]))
		at := int64(len(l.events)) * 100
		e.Position = checkpoint.AtLog(at, at)
		l.streams[stream] = append(l.streams[stream], len(l.events))
		l.events = append(l.events, e)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Truncate makes the events of a stream before a number unreadable.
func (l *Log) Truncate(stream string, before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first[stream] = before
}

// Wipe empties the log, as if another server stood at its address.
func (l *Log) Wipe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events, l.streams, l.first = nil, map[string][]int{}, map[string]int64{}
}

// Intercept has fn called before every operation; an error from it fails the operation. fn may block. nil ends it.
func (l *Log) Intercept(fn func(Op) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hook = fn
}

// Stall makes the subscriptions that are open now, and the next more, deliver nothing and fail at nothing, as if the network
// had forgotten them. 0 lets those live that are opened from now on.
func (l *Log) Stall(more int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = l.opened + more
	close(l.changed)
	l.changed = make(chan struct{})
}

// Open returns how many subscriptions are open.
func (l *Log) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Opened returns how many subscriptions were ever opened.
func (l *Log) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

func (l *Log) intercept(op Op) error {
	l.mu.Lock()
	hook := l.hook
	l.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(op)
}

// Stream returns a source of one stream.
func (l *Log) Stream(name string) *Source {
	return &Source{log: l, stream: name, PageSize: DefaultPageSize}
}

// All returns a source of all events that match; nil matches every event.
func (l *Log) All(match func(*source.Event) bool) *Source {
	return &Source{log: l, match: match, PageSize: DefaultPageSize}
}
