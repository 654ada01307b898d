package eventlog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is the error of a write to a log that was closed.
var ErrClosed = errors.New("log is closed")

// ErrFull is the error of a write to a log that has reached its largest size, 512 GiB.
var ErrFull = errors.New("log is full")

// maxRequest is more than one write can take.
const maxRequest = 1 << 30

// maxPending bounds the bytes that wait for the disk; writers wait when there are more.
const maxPending = 32 << 20

// Options are the settings of [Open].
type Options struct {
	Dir         string // "" keeps the log in memory
	Sync        bool   // fsync before a write is acknowledged
	SystemLinks bool   // write the links of the system projections with each event
	Now         func() time.Time

	// OnCommit is called with every write that became visible, in order and one at a time, after those who wait for
	// them were told.
	OnCommit func(Batch)
}

// Log is an append-only log of events and the index of its streams. Its methods may be called by several goroutines at
// once.
type Log struct {
	opts  Options
	store storage
	torn  *TornTail

	pages   sync.Pool
	trusted bool // the storage is memory, which is not checked when it is read

	mu      sync.RWMutex
	streams map[string]*stream
	ids     idMemory
	tx      map[int64]*transaction
	next    int64  // position of the next record
	pending []byte // records that wait for the disk
	writing []byte // records that are being written now, before pending
	waiters []waiter
	newest  int64 // position that becomes lastCommit with pending
	spare   []byte
	scratch []byte
	left    int   // records of the current write that are still to come
	err     error // why the log takes no more writes

	head       atomic.Int64 // position after the last committed record
	lastCommit atomic.Int64 // position of the last committed record that made something visible, -1 if none

	// Of the commit loop.
	expected int           // writers that wait for a commit, or were told of one just now
	synced   time.Duration // that the last sync took

	wake   chan struct{} // there is something to commit
	room   *sync.Cond    // pending went to the disk
	closed chan struct{}
	done   chan struct{} // ends with the commit loop
}

// waiter is told when what was pending at its time is on disk.
type waiter struct{ done func(error) }

// Open opens the log, or makes an empty one. A [*CorruptError] says that it is damaged, [ErrLocked] that another process
// has it.
func Open(opts Options) (*Log, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	l := &Log{
		opts: opts, streams: map[string]*stream{}, ids: newIDMemory(), tx: map[int64]*transaction{},
		wake: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{}),
	}
	l.room = sync.NewCond(&l.mu)
	l.newest, l.next = -1, headerSize
	l.lastCommit.Store(-1)
	l.head.Store(headerSize)
	if opts.Dir == "" {
		l.store, l.trusted = newMemory(), true
	} else if err := l.openDir(); err != nil {
		return nil, err
	}
	go l.commitLoop() // ends with Close, which waits for it
	return l, nil
}

// TornTail returns what was cut off when the log was opened, or nil.
func (l *Log) TornTail() *TornTail { return l.torn }

// Head returns the position after the last committed record.
func (l *Log) Head() int64 { return l.head.Load() }

// LastCommit returns the position of the last commit, -1 if there is none.
func (l *Log) LastCommit() int64 { return l.lastCommit.Load() }

// Close writes what is pending and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	if errors.Is(l.err, ErrClosed) {
		l.mu.Unlock()
		return nil
	}
	l.err = errors.Join(ErrClosed, l.err)
	l.room.Broadcast()
	l.mu.Unlock()
	close(l.closed)
	<-l.done
	return l.store.Close()
}

// begin takes the lock for a write, or says why there can be none. It waits while too much is pending.
func (l *Log) begin() error {
	l.mu.Lock()
	for l.err == nil && len(l.pending) > maxPending {
		l.room.Wait()
	}
	err := l.err
	if err == nil && l.next > positionMax-maxRequest {
		err = ErrFull
	}
	if err != nil {
		l.mu.Unlock()
	}
	return err
}

// finish ends what begin began, and calls done once everything written so far is on disk.
func (l *Log) finish(done func(error)) {
	l.waiters = append(l.waiters, waiter{done})
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// beginWrite says of how many records the write consists that the next calls of put append.
func (l *Log) beginWrite(records int) { l.left = records }

// put appends a record to pending, whose body fill appends to what it is given.
func (l *Log) put(k kind, flags byte, fill func([]byte) []byte) loc {
	at, pos := len(l.pending), l.next
	if l.left--; l.left > 0 {
		flags |= flagMore
	}
	if at == 0 {
		flags |= flagBatch
		if !l.opts.Sync {
			flags |= flagUnsynced
		}
	}
	l.pending = sealRecord(fill(beginRecord(l.pending, k, flags)), at, pos)
	size := len(l.pending) - at
	l.next += int64(size)
	if record(l.pending[at:]).movesCommit() {
		l.newest = pos
	}
	return newLoc(pos, record(l.pending[at:]))
}

func (l *Log) commitLoop() {
	defer close(l.done)
	for {
		select {
		case <-l.wake:
			l.commit()
		case <-l.closed:
			l.commit()
			return
		}
	}
}

// longSync bounds what a sync counts for: one that takes longer was held up by something else.
const longSync = 10 * time.Millisecond

// gatherSteps is how many looks gather takes at most. Each comes after an eighth of what a sync takes.
const gatherSteps = 4

// gather lets writes come together that one sync is enough for. Writers that were told of the last commit are about to
// write again; when those that were waiting meanwhile are written without them, each half waits for the sync of the
// other. So it waits for as many as were on their way, for half a sync at most. A single writer is never waited for.
func (l *Log) gather() {
	for range gatherSteps {
		l.mu.RLock()
		waiting, closing := len(l.waiters), l.err != nil
		l.mu.RUnlock()
		if waiting == 0 || waiting >= l.expected || closing {
			return
		}
		time.Sleep(l.synced / 8)
	}
}

// commit writes what is pending, makes it visible and tells who waits for it.
func (l *Log) commit() {
	if l.opts.Sync {
		l.gather()
	}
	l.mu.Lock()
	if len(l.waiters) == 0 { // woken for what the last commit has written already
		l.mu.Unlock()
		return
	}
	batch := Batch{position: l.head.Load(), records: l.pending}
	waiters, newest := l.waiters, l.newest
	l.writing, l.pending, l.spare = l.pending, l.spare[:0], nil
	l.waiters = nil
	l.mu.Unlock()

	err := l.persist(batch.records)
	l.mu.Lock()
	if err == nil {
		// The head moves first: who sees a commit must be able to read it, and a subscription that begins behind it must
		// not count an event as seen that the number of the last event does not include.
		l.head.Store(batch.position + int64(len(batch.records)))
		l.lastCommit.Store(newest)
	} else if l.err == nil {
		// What is in the index but not on disk cannot be taken back one by one: the log stays readable up to its head.
		l.err = fmt.Errorf("write log: %w", err)
	}
	l.writing = nil
	l.expected = len(waiters) + len(l.waiters)
	l.room.Broadcast()
	l.mu.Unlock()

	for _, w := range waiters {
		w.done(err)
	}
	if err == nil && l.opts.OnCommit != nil && len(batch.records) > 0 {
		l.opts.OnCommit(batch)
	}
	if cap(batch.records) <= maxPending {
		l.mu.Lock()
		l.spare = batch.records[:0]
		l.mu.Unlock()
	}
}

func (l *Log) persist(records []byte) error {
	l.mu.RLock()
	failed := l.err
	l.mu.RUnlock()
	if failed != nil && !errors.Is(failed, ErrClosed) {
		return failed
	}
	if len(records) == 0 {
		return nil
	}
	if err := l.store.Append(records); err != nil {
		return err
	}
	if !l.opts.Sync {
		return nil
	}
	began := time.Now()
	err := l.store.Sync()
	l.synced = min(time.Since(began), longSync)
	return err
}
