package eventlog

import (
	"errors"
	"fmt"
	"io"
)

// ErrDamaged says that a record of the log does not pass its checksum. It is never served.
var ErrDamaged = errors.New("damaged record")

const (
	// maxGap is how far apart two records may lie to be read together: copying this much costs as much as another read.
	maxGap = 4 << 10
	// maxRun bounds what is read together.
	maxRun = 1 << 20
	// maxPage bounds the bytes of a page, so that its frame stays below the 64 MiB that a client accepts. A page that
	// would be larger ends early.
	maxPage = 48 << 20
)

// recordAt reads one record, which may still be pending. The caller holds the lock for writing if it may be.
func (l *Log) recordAt(at loc, buf *[]byte) (record, error) {
	if b, ok := l.unwritten(at.pos()); ok {
		r, _, reason := parseRecord(b, at.pos())
		if reason != "" {
			return nil, fmt.Errorf("%w at position %d: %s", ErrDamaged, at.pos(), reason)
		}
		return r, nil
	}
	*buf = grow(*buf, at.size())
	return l.readRecord(*buf, at)
}

// unwritten returns the bytes from a position on that are not in the storage yet.
func (l *Log) unwritten(pos int64) ([]byte, bool) {
	start := l.next - int64(len(l.pending))
	if pos >= start {
		return l.pending[pos-start:], true
	}
	start -= int64(len(l.writing))
	if len(l.writing) > 0 && pos >= start {
		return l.writing[pos-start:], true
	}
	return nil, false
}

// readRecord reads the record into buf, which is as long as the size of its loc.
func (l *Log) readRecord(buf []byte, at loc) (record, error) {
	n, err := l.store.ReadAt(buf, at.pos())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log at position %d: %w", at.pos(), err)
	}
	r, _, reason := parseRecord(buf[:n], at.pos())
	if reason != "" {
		return nil, fmt.Errorf("%w at position %d: %s", ErrDamaged, at.pos(), reason)
	}
	return r, nil
}

// read returns so many bytes of the storage, or what there is of them: its own memory if it has them in one piece.
func (l *Log) read(p *pages, pos int64, n int) ([]byte, error) {
	if l.trusted {
		if b, ok := l.store.(*memory).view(pos, n); ok {
			p.used += len(b)
			return b, nil
		}
	}
	buf := p.alloc(n)
	n, err := l.store.ReadAt(buf, pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log at position %d: %w", pos, err)
	}
	return buf[:n], nil
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// runLength returns how many of these places are read together, and where their bytes begin and end.
func runLength(places []loc) (n int, begin, end int64) {
	begin, end = places[0].pos(), places[0].pos()+int64(places[0].size())
	for n = 1; n < len(places); n++ {
		pos := places[n].pos()
		next := pos + int64(places[n].size())
		if pos < begin || pos > end+maxGap || next-begin > maxRun {
			break
		}
		end = max(end, next)
	}
	return n, begin, end
}

// fetch reads the committed records at these places into page memory, and calls fn with each in that order. It stops
// before a page that is too large, and returns how many it read.
func (l *Log) fetch(p *pages, places []loc, fn func(record, loc)) (n int, err error) {
	for n < len(places) && (n == 0 || p.used < maxPage) {
		run, begin, end := runLength(places[n:])
		buf, err := l.read(p, begin, int(end-begin))
		if err != nil {
			return 0, err
		}
		for _, at := range places[n : n+run] {
			off := min(at.pos()-begin, int64(len(buf)))
			if l.trusted {
				fn(record(buf[off:off+int64(at.size())]), at)
				continue
			}
			r, _, reason := parseRecord(buf[off:], at.pos())
			if reason != "" {
				return 0, fmt.Errorf("%w at position %d: %s", ErrDamaged, at.pos(), reason)
			}
			fn(r, at)
		}
		n += run
	}
	return n, nil
}

// fetchOne reads one committed event into page memory.
func (l *Log) fetchOne(p *pages, at loc) (event record, err error) {
	_, err = l.fetch(p, []loc{at}, func(r record, _ loc) { event = r })
	return event, err
}
