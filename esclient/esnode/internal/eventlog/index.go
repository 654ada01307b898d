package eventlog

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
)

// loc is where a record lies and how long it is, in one word: 39 bits of position (512 GiB), 24 of size, and one that says
// that the event is of a transaction. So the body of an event is found without a look at the record.
type loc uint64

const (
	locSizeBits = 24
	locTx       = 1 << locSizeBits
	locPosShift = locSizeBits + 1

	// positionMax is the largest position at which a record may begin.
	positionMax = int64(1)<<(64-locPosShift) - 1
)

func newLoc(pos int64, r record) loc {
	l := loc(pos)<<locPosShift | loc(len(r))
	if r.inTx() {
		l |= locTx
	}
	return l
}

func (l loc) pos() int64 { return int64(l >> locPosShift) }
func (l loc) size() int  { return int(l & (locTx - 1)) }

// event returns the EventRecord message of an event, without looking at the record.
func (l loc) event(r record) []byte {
	if l&locTx != 0 {
		return r[recordHead+8 : len(r)-recordTrailer]
	}
	return r[recordHead : len(r)-recordTrailer]
}

// commit returns the commit position of an event.
func (l loc) commit(r record) int64 {
	if l&locTx != 0 {
		return r.commit(l.pos())
	}
	return l.pos()
}

// stream is the index entry of one stream. Event n is at events[n]. The log's lock guards it; a slice header that was
// copied under the lock stays valid, since entries are only added.
type stream struct {
	name      string
	salt      uint64 // of the hashes of its ids
	events    []loc
	deleted   bool    // hard
	tombstone loc     // if deleted
	meta      *stream // $$name, nil until it is written
	of        *stream // the stream whose metadata this is, nil if that does not exist
	settings  atomic.Pointer[parsedMetadata]
}

// last returns the number of the last event, committed or not, -1 if there is none.
func (s *stream) last() int64 {
	if s == nil {
		return -1
	}
	return int64(len(s.events)) - 1
}

// visible returns the events before the head.
func (s *stream) visible(head int64) []loc {
	if s == nil {
		return nil
	}
	n := len(s.events)
	for n > 0 && s.events[n-1].pos() >= head {
		n--
	}
	return s.events[:n]
}

// gone reports whether the stream, or the one whose metadata it is, was hard-deleted before the head.
func (s *stream) gone(head int64) bool {
	if s == nil {
		return false
	}
	return s.deleted && s.tombstone.pos() < head || s.of != nil && s.of.deleted && s.of.tombstone.pos() < head
}

// metaPrefix leads the name of the stream that holds the metadata of another.
const metaPrefix = "$$"

// IsMetadata reports whether the stream holds the metadata of another.
func IsMetadata(name string) bool { return strings.HasPrefix(name, metaPrefix) }

// OriginalOf returns the stream whose metadata the stream holds.
func OriginalOf(name string) string { return strings.TrimPrefix(name, metaPrefix) }

// stream returns the index entry of a stream, nil if nothing was ever written to it or to its metadata.
func (l *Log) stream(name string) *stream { return l.streams[name] }

// openStream returns the index entry of a stream, which is made if there is none.
func (l *Log) openStream(name string) *stream {
	if s := l.streams[name]; s != nil {
		return s
	}
	s := &stream{name: strings.Clone(name), salt: rand.Uint64()}
	l.streams[s.name] = s
	if IsMetadata(s.name) {
		original := l.openStream(OriginalOf(s.name))
		s.of, original.meta = original, s
	}
	return s
}

// MetadataOf returns the stream that holds the metadata of a stream.
func MetadataOf(name string) string { return metaPrefix + name }
