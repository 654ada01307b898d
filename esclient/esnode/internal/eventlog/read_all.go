package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Position is a place in the log of all streams. Events of explicit transactions share the commit position and differ in
// the prepare position; for all others both are equal.
type Position struct{ Commit, Prepare int64 }

func (p Position) less(q Position) bool {
	return p.Commit < q.Commit || p.Commit == q.Commit && p.Prepare < q.Prepare
}

// ErrPosition says that there is no record at the position that a reader asked for.
var ErrPosition = errors.New("no record begins at this position")

// Filter says whether an event belongs to a page of all streams.
type Filter func(stream, eventType []byte) bool

// AllQuery is a read of all streams.
type AllQuery struct {
	From     Position // (-1,-1) is the head
	Count    int
	Backward bool
	Resolve  bool
	Filter   Filter // nil: everything
	Window   int    // with Filter: how many events are looked at
}

// ReadAll reads events of all streams, forward from a position on, or backward what lies before it.
func (l *Log) ReadAll(q AllQuery) *Page {
	p := l.newPage()
	head := l.head.Load()
	if q.From == (Position{-1, -1}) {
		q.From = Position{head, head}
	}
	p.Position, p.NextPos = q.From, q.From
	if q.From.Commit < 0 || q.From.Prepare < 0 {
		p.fail(fmt.Errorf("invalid position"))
		return p
	}
	if q.Filter == nil {
		q.Window = q.Count
	}
	w := walker{log: l, mem: &p.mem, head: head}
	var err error
	if q.Backward {
		err = l.allDown(p, &w, q)
	} else {
		err = l.allUp(p, &w, q)
	}
	if err == nil && q.Resolve {
		err = l.resolve(p, head)
	}
	if err != nil {
		return p.fail(err)
	}
	return p
}

func (q *AllQuery) wants(r record) bool {
	if q.Filter == nil {
		return true
	}
	e, ok := ParseEvent(r.event())
	return ok && q.Filter(e.Stream, e.Type)
}

func (l *Log) allUp(p *Page, w *walker, q AllQuery) error {
	if q.From.Commit > 0 && q.From.Commit < headerSize {
		return fmt.Errorf("position %d is before the first record: %w", q.From.Commit, ErrPosition)
	}
	w.pos = max(q.From.Commit, headerSize)
	if w.pos >= w.head {
		p.End = true // also at the start of a log without a record
		return nil
	}
	if err := w.enterTransaction(); err != nil {
		return err
	}
	for seen := 0; len(p.Events) < q.Count && seen < q.Window && (len(p.Events) == 0 || p.mem.used < maxPage); {
		at := w.pos
		r, err := w.next()
		if errors.Is(err, io.EOF) {
			p.End = true
			return nil
		}
		if err != nil {
			return err
		}
		if !r.isEvent() {
			continue
		}
		pos := Position{r.commit(at), at}
		if pos.less(q.From) {
			continue
		}
		seen++
		p.NextPos = Position{w.pos, 0}
		if r.inTx() {
			p.NextPos = Position{pos.Commit, w.pos}
		}
		if q.wants(r) {
			p.addRecord(r, at)
		}
	}
	return nil
}

func (l *Log) allDown(p *Page, w *walker, q AllQuery) error {
	w.pos = min(q.From.Commit, w.head)
	if q.From.Commit > w.head {
		return fmt.Errorf("position %d is beyond the head %d: %w", q.From.Commit, w.head, ErrPosition)
	}
	for seen := 0; len(p.Events) < q.Count && seen < q.Window && (len(p.Events) == 0 || p.mem.used < maxPage); {
		r, err := w.previous()
		if errors.Is(err, io.EOF) {
			p.End = true
			return nil
		}
		if err != nil {
			return err
		}
		if !r.isEvent() {
			continue
		}
		pos := Position{r.commit(w.pos), w.pos}
		if !pos.less(q.From) {
			continue
		}
		seen++
		p.NextPos = pos
		if q.wants(r) {
			p.addRecord(r, w.pos)
		}
	}
	return nil
}

// walkAhead is how many bytes are read at once when the log is walked.
const walkAhead = 128 << 10

// walker reads the records of the log one by one.
type walker struct {
	log  *Log
	mem  *pages
	head int64
	pos  int64  // of the next record upwards; of the last one read downwards
	buf  []byte // what was read
	base int64  // position of buf
}

// next returns the record at pos and moves behind it. io.EOF is the head.
func (w *walker) next() (record, error) {
	if w.pos >= w.head {
		return nil, io.EOF
	}
	for want := 0; ; {
		off := w.pos - w.base
		if off >= 0 && off < int64(len(w.buf)) {
			r, more, reason := parseRecord(w.buf[off:], w.pos)
			if reason == "" {
				w.pos += int64(len(r))
				return r, nil
			}
			if !more || want > 0 && len(w.buf) >= want {
				return nil, fmt.Errorf("position %d: %s: %w", w.pos, reason, ErrPosition)
			}
			if want = recordHead; len(w.buf[off:]) >= recordHead {
				want = recordSize(w.buf[off:])
			}
		}
		if err := w.load(w.pos, max(want, recordHead)); err != nil {
			return nil, err
		}
	}
}

// load reads at least want bytes from pos on, if there are so many before the head.
func (w *walker) load(pos int64, want int) error {
	left := w.head - pos
	if int64(want) > left {
		return fmt.Errorf("position %d: the record is cut short: %w", pos, ErrPosition)
	}
	buf, err := w.log.read(w.mem, pos, int(min(left, max(int64(want), walkAhead))))
	w.buf, w.base = buf, pos
	return err
}

// previous returns the record that ends at pos and moves to its begin. io.EOF is the begin of the log.
func (w *walker) previous() (record, error) {
	if w.pos <= headerSize {
		return nil, io.EOF
	}
	size := recordTrailer
	for try := 0; try < 3; try++ {
		begin := w.pos - int64(size) - w.base
		if w.buf != nil && begin >= 0 && w.pos-w.base <= int64(len(w.buf)) {
			end := w.pos - w.base
			size = recordSize(w.buf[end-recordTrailer:])
			if size < recordMin || size > recordMax || int64(size) > w.pos-headerSize {
				return nil, fmt.Errorf("position %d: impossible record size before it: %w", w.pos, ErrPosition)
			}
			if begin = end - int64(size); begin >= 0 {
				r, _, reason := parseRecord(w.buf[begin:end], w.pos-int64(size))
				if reason == "" && len(r) != size { // a shorter one begins there: pos is inside the next
					reason = "no record ends behind it"
				}
				if reason != "" {
					return nil, fmt.Errorf("position %d: %s: %w", w.pos-int64(size), reason, ErrPosition)
				}
				w.pos -= int64(size)
				return r, nil
			}
		}
		if err := w.loadBefore(size); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("position %d: the record cannot be read: %w", w.pos, ErrPosition)
}

// loadBefore reads at least want bytes before pos.
func (w *walker) loadBefore(want int) error {
	if int64(want) > w.pos-headerSize {
		return fmt.Errorf("position %d: no record ends there: %w", w.pos, ErrPosition)
	}
	n := min(w.pos-headerSize, max(int64(want), walkAhead))
	buf, err := w.log.read(w.mem, w.pos-n, int(n))
	w.buf, w.base = buf, w.pos-n
	return err
}

// enterTransaction moves to the first event of a transaction when pos is that of its commit record.
func (w *walker) enterTransaction() error {
	at := w.pos
	r, err := w.next()
	if err != nil {
		return err
	}
	w.pos = at
	if r.kind() == kindTxCommit && len(r.body()) >= 8 {
		w.pos = int64(binary.LittleEndian.Uint64(r.body()))
	}
	return nil
}
