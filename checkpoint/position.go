package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrPosition is in the chain of every error about the text form of a [Position].
var ErrPosition = errors.New("invalid position")

// Position says how far a source was read: everything up to and including it is done. The zero value is before the
// first event. Positions are comparable with ==.
type Position struct {
	kind    kind
	commit  int64  // event number or commit position
	prepare int64  // prepare position
	vector  string // canonical text of a vector
}

type kind uint8

const (
	kindStart  kind = iota // before the first event
	kindNumber             // an event number of one stream
	kindLog                // a log position of $all
	kindVector             // an event number for each of several streams
)

// AtNumber is the position of event n of a single stream, n >= 0.
func AtNumber(n int64) Position { return Position{kind: kindNumber, commit: n} }

// AtLog is a position in the whole log ($all).
func AtLog(commit, prepare int64) Position {
	return Position{kind: kindLog, commit: commit, prepare: prepare}
}

// AtNumbers is a vector of event numbers, one for each stream that was read from. Streams that have not been read from
// are absent.
func AtNumbers(numbers map[string]int64) Position {
	if len(numbers) == 0 {
		return Position{}
	}
	var b strings.Builder
	for i, stream := range slices.Sorted(maps.Keys(numbers)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(stream))
		b.WriteByte('=')
		b.WriteString(strconv.FormatInt(numbers[stream], 10))
	}
	return Position{kind: kindVector, vector: b.String()}
}

// AtNumberOf is a vector with one entry: event n of one of several streams, n >= 0.
func AtNumberOf(stream string, n int64) Position {
	text := strconv.AppendQuote(make([]byte, 0, len(stream)+24), stream)
	return Position{kind: kindVector, vector: string(strconv.AppendInt(append(text, '='), n, 10))}
}

// IsStart reports whether p is before the first event.
func (p Position) IsStart() bool { return p.kind == kindStart }

// Number returns the event number of a single-stream position; ok is false for other kinds.
func (p Position) Number() (n int64, ok bool) { return p.commit, p.kind == kindNumber }

// Log returns the commit and prepare position of a log position; ok is false for other kinds.
func (p Position) Log() (commit, prepare int64, ok bool) {
	return p.commit, p.prepare, p.kind == kindLog
}

// Numbers returns the event numbers of a vector; ok is false for other kinds. The map is the caller's.
func (p Position) Numbers() (numbers map[string]int64, ok bool) {
	if p.kind != kindVector {
		return nil, false
	}
	numbers, err := parseVector(p.vector)
	return numbers, err == nil
}

// SameKind reports whether p and q are positions of one kind of source. The start is of every kind.
func (p Position) SameKind(q Position) bool {
	return p.kind == q.kind || p.IsStart() || q.IsStart()
}

// Compare orders p and q: negative if p is before q, 0 if they are the same, positive if p is behind it. The start is
// before everything. ok is false if the two cannot be ordered: they are of different kinds, or vectors of which neither
// covers the other.
func (p Position) Compare(q Position) (order int, ok bool) {
	switch {
	case p == q:
		return 0, true
	case p.kind == kindStart:
		return -1, true
	case q.kind == kindStart:
		return 1, true
	case p.kind != q.kind:
		return 0, false
	case p.kind == kindVector:
		return p.compareVector(q)
	}
	if c := cmp.Compare(p.commit, q.commit); c != 0 {
		return c, true
	}
	return cmp.Compare(p.prepare, q.prepare), true
}

func (p Position) compareVector(q Position) (order int, ok bool) {
	a, _ := p.Numbers()
	b, _ := q.Numbers()
	behind, ahead := covers(b, a), covers(a, b)
	switch {
	case behind && ahead:
		return 0, true
	case behind:
		return -1, true
	case ahead:
		return 1, true
	}
	return 0, false
}

// covers reports whether a is at or past b in every stream of b.
func covers(a, b map[string]int64) bool {
	for stream, n := range b {
		if m, ok := a[stream]; !ok || m < n {
			return false
		}
	}
	return true
}

// EventsUntil counts the events after p up to head, or is -1 where positions do not count events. It is 0 if head is
// behind p.
func (p Position) EventsUntil(head Position) int64 {
	if p == head {
		return 0
	}
	if end, ok := head.Number(); ok {
		if n, ok := p.Number(); ok {
			return max(0, end-n)
		}
		if p.IsStart() {
			return end + 1
		}
	}
	if ends, ok := head.Numbers(); ok {
		at, _ := p.Numbers()
		if at == nil && !p.IsStart() {
			return -1
		}
		var sum int64
		for stream, end := range ends {
			n, seen := at[stream]
			if !seen {
				n = -1
			}
			sum += max(0, end-n)
		}
		return sum
	}
	return -1
}

// String returns the canonical text form, which [ParsePosition] reads: "start", "42", "1234/1200", or
// `{"a"=4,"b"=7}`.
func (p Position) String() string {
	switch p.kind {
	case kindNumber:
		return strconv.FormatInt(p.commit, 10)
	case kindLog:
		return strconv.FormatInt(p.commit, 10) + "/" + strconv.FormatInt(p.prepare, 10)
	case kindVector:
		return "{" + p.vector + "}"
	}
	return "start"
}

// ParsePosition reads the text form of a position, as [Position.String] writes it and no other: stores compare positions
// as text. Errors are [ErrPosition].
func ParsePosition(s string) (Position, error) {
	p, err := parsePosition(s)
	if err == nil && p.String() != s {
		err = fmt.Errorf("write it as %s", p)
	}
	if err != nil {
		return Position{}, fmt.Errorf("%w %s: %w", ErrPosition, s, err)
	}
	return p, nil
}

func parsePosition(s string) (Position, error) {
	switch {
	case s == "start":
		return Position{}, nil
	case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}"):
		numbers, err := parseVector(s[1 : len(s)-1])
		return AtNumbers(numbers), err
	}
	head, tail, isLog := strings.Cut(s, "/")
	commit, err := parseNumber(head)
	if err != nil {
		return Position{}, errors.New(`want start, a number, commit/prepare or {"stream"=number,…}`)
	}
	if !isLog {
		return AtNumber(commit), nil
	}
	prepare, err := parseNumber(tail)
	if err != nil {
		return Position{}, fmt.Errorf("%q is no prepare position", tail)
	}
	return AtLog(commit, prepare), nil
}

// parseNumber reads a number that is not negative.
func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

func parseVector(s string) (map[string]int64, error) {
	numbers := make(map[string]int64)
	for s != "" {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, fmt.Errorf("want a quoted stream name at %q", s)
		}
		stream, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		rest, found := strings.CutPrefix(s[len(quoted):], "=")
		if !found {
			return nil, fmt.Errorf("want = after %s", quoted)
		}
		digits, more, comma := strings.Cut(rest, ",")
		n, err := parseNumber(digits)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %q is no event number", quoted, digits)
		}
		if comma && more == "" {
			return nil, errors.New("nothing after the last comma")
		}
		numbers[stream] = n
		s = more
	}
	return numbers, nil
}
