package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// recoverChunk is how much of the log is read at once when the index is rebuilt.
const recoverChunk = 4 << 20

// sector is the smallest unit that a disk writes; a torn write leaves whole ones as zeros.
const sector = 512

// searchWindow is how far behind a bad record good ones are searched.
const searchWindow = 128 << 20

// recover reads the whole log, checks every record and rebuilds the index. What an interrupted write left at the end is
// cut off; damage anywhere else is an error.
func (l *Log) recover(f *file) error {
	sc := scanner{f: f, size: f.size, pos: headerSize}
	var group []found // records of a write that is not complete yet
	groupAt := int64(headerSize)
	for {
		at := sc.pos
		r, reason, err := sc.next()
		if errors.Is(err, io.EOF) {
			if len(group) == 0 {
				break
			}
			return l.cut(f, groupAt, "the last write is incomplete")
		}
		if err != nil {
			return fmt.Errorf("read log at position %d: %w", at, err)
		}
		if reason != "" {
			if reason, damaged := sc.damaged(at, reason); damaged {
				return &CorruptError{Path: f.f.Name(), Position: at, Reason: reason}
			}
			return l.cut(f, groupAt, reason)
		}
		if r.batch() {
			sc.unsynced = r.unsynced()
		}
		item, reason := l.inspect(r, at)
		if reason != "" {
			return &CorruptError{Path: f.f.Name(), Position: at, Reason: reason}
		}
		if r.more() {
			group = append(group, item)
			continue
		}
		for _, g := range group {
			if reason = l.index(g); reason != "" {
				return &CorruptError{Path: f.f.Name(), Position: g.at.pos(), Reason: reason}
			}
		}
		if reason = l.index(item); reason != "" {
			return &CorruptError{Path: f.f.Name(), Position: at, Reason: reason}
		}
		group, groupAt = group[:0], sc.pos
	}
	l.next = sc.pos
	l.head.Store(sc.pos)
	l.lastCommit.Store(l.newest)
	return nil
}

// found is what the index needs of a record.
type found struct {
	stream *stream
	number int64
	at     loc
	kind   kind
	moves  bool
	record record
}

func (l *Log) inspect(r record, at int64) (f found, reason string) {
	f = found{at: newLoc(at, r), kind: r.kind(), moves: r.movesCommit()}
	switch r.kind() {
	case kindEvent, kindTombstone:
		name, number, ok := ParseHead(r.event())
		if !ok {
			return f, "the event cannot be decoded"
		}
		s := l.streams[string(name)]
		if s == nil {
			s = l.openStream(string(name))
		}
		f.stream, f.number = s, number
	case kindTxStart, kindTxWrite, kindTxCommit:
		f.record = bytes.Clone(r)
	case kindEmpty:
	default:
		return f, fmt.Sprintf("unknown kind %d of record", r.kind())
	}
	return f, ""
}

func (l *Log) index(f found) (reason string) {
	if f.moves {
		l.newest = f.at.pos()
	}
	switch f.kind {
	case kindEvent:
		if f.number != f.stream.last()+1 {
			return fmt.Sprintf("event %d of stream %q follows number %d", f.number, f.stream.name, f.stream.last())
		}
		f.stream.events = append(f.stream.events, f.at)
	case kindTombstone:
		f.stream.tombstone, f.stream.deleted = f.at, true
	case kindTxStart, kindTxWrite, kindTxCommit:
		return l.indexTransaction(f)
	}
	return ""
}

func (l *Log) indexTransaction(f found) (reason string) {
	b := f.record.body()
	number := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[i*8:])) }
	switch {
	case f.kind == kindTxStart && len(b) >= 8:
		l.tx[f.at.pos()] = &transaction{stream: string(b[8:]), expected: number(0)}
	case f.kind == kindTxWrite && len(b) >= 8:
		if t := l.tx[number(0)]; t != nil {
			t.writes = append(t.writes, f.at)
		}
	case f.kind == kindTxCommit && len(b) >= 32:
		if t := l.tx[number(1)]; t != nil {
			t.committed, t.first, t.last, t.writes = true, number(2), number(3), nil
		}
	default:
		return "the record is too short for its kind"
	}
	return ""
}

// cut ends the log at a position, and keeps what was behind it in a file of its own.
func (l *Log) cut(f *file, at int64, reason string) error {
	l.torn = &TornTail{Position: at, Bytes: f.size - at, Reason: reason}
	l.torn.SavedAs = filepath.Join(filepath.Dir(f.f.Name()), fmt.Sprintf("torn-%d.bin", at))
	tail := io.NewSectionReader(f.f, at, f.size-at)
	if err := saveFile(l.torn.SavedAs, tail); err != nil {
		return fmt.Errorf("keep the torn end of the log: %w", err)
	}
	if err := f.f.Truncate(at); err != nil {
		return fmt.Errorf("cut the torn end of the log: %w", err)
	}
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("cut the torn end of the log: %w", err)
	}
	f.size = at
	l.next = at
	l.head.Store(at)
	l.lastCommit.Store(l.newest)
	return nil
}

func saveFile(path string, from io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Sync(), out.Close())
}

// scanner reads all records of a file, in large pieces.
type scanner struct {
	f    *file
	size int64
	pos  int64
	buf  []byte
	base int64

	unsynced bool // what was read last was written without fsync
}

// next returns the record at pos and moves behind it, or the reason why there is none.
func (s *scanner) next() (r record, reason string, err error) {
	if s.pos >= s.size {
		return nil, "", io.EOF
	}
	off := s.pos - s.base
	var more bool
	if off < int64(len(s.buf)) {
		if r, more, reason = parseRecord(s.buf[off:], s.pos); reason == "" {
			s.pos += int64(len(r))
			return r, "", nil
		} else if !more || s.base+int64(len(s.buf)) >= s.size {
			return nil, reason, nil
		}
	}
	want := int64(recoverChunk)
	if left := s.buf[min(off, int64(len(s.buf))):]; len(left) >= recordHead {
		want = max(want, int64(recordSize(left)))
	}
	if err := s.load(s.pos, want); err != nil {
		return nil, "", err
	}
	if r, _, reason = parseRecord(s.buf, s.pos); reason == "" {
		s.pos += int64(len(r))
	}
	return r, reason, nil
}

func (s *scanner) load(pos, want int64) error {
	want = min(want, s.size-pos)
	if int64(cap(s.buf)) < want {
		s.buf = make([]byte, want)
	}
	s.buf = s.buf[:want]
	if _, err := s.f.ReadAt(s.buf, pos); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.base = pos
	return nil
}

// damaged tells damage from what an interrupted write left, see the package comment.
func (s *scanner) damaged(at int64, reason string) (string, bool) {
	rest := make([]byte, min(s.size-at, searchWindow))
	if _, err := s.f.ReadAt(rest, at); err != nil && !errors.Is(err, io.EOF) {
		return err.Error(), true
	}
	bad := len(rest) // bytes up to the next good record
	for i := 1; i+recordMin <= len(rest); i++ {
		size := recordSize(rest[i:])
		if size < recordMin || size > len(rest)-i || size > recordMax {
			continue
		}
		r, _, wrong := parseRecord(rest[i:], at+int64(i))
		if wrong != "" {
			continue
		}
		bad = min(bad, i)
		if s.unsynced || r.batch() {
			return reason + fmt.Sprintf("; a good record follows at position %d", at+int64(i)), true
		}
		i += size - 1
	}
	if hasZeroSector(rest[:bad], at) {
		return reason, false
	}
	if bad < len(rest) {
		return reason + "; good records follow", true
	}
	whole := len(rest) >= recordMin && (recordSize(rest) == len(rest) || recordSize(rest[len(rest)-recordTrailer:]) == len(rest))
	return reason, whole
}

// hasZeroSector reports whether a whole sector of the file inside b is zero.
func hasZeroSector(b []byte, fileOffset int64) bool {
	zero := make([]byte, sector)
	for i := int((sector - fileOffset%sector) % sector); i+sector <= len(b); i += sector {
		if bytes.Equal(b[i:i+sector], zero) {
			return true
		}
	}
	return false
}
