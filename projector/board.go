package projector

import (
	"fmt"
	"sync"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// board holds the live status of one projection. It is safe for concurrent use.
type board struct {
	hooks hooks

	mu      sync.Mutex
	status  Status
	oldest  time.Time           // created time of the oldest event in hand; zero = none
	changed chan struct{}       // closed, and replaced, when the status has changed
	behind  time.Time           // since when Head is known to be ahead of Position; zero = it is not
	away    error               // why the end of the source is not known now; nil = it is
	done    checkpoint.Position // everything up to here is committed, or passed over by the shard
	up      func(state bool)    // of a shard: something has changed, perhaps the state; nil = it is none
}

func newBoard(p *Projection, hs hooks) *board {
	b := &board{hooks: hs, changed: make(chan struct{})}
	b.status = Status{Name: p.name, Shards: 1, State: StateStarting, Since: time.Now()}
	if f := p.Source(); f != nil {
		b.status.Source = f.String()
	}
	return b
}

// broadcast wakes those who wait for a change. b.mu is held.
func (b *board) broadcast() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// change returns a channel that is closed with the next commit or change of state.
func (b *board) change() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// ahead returns for how long the end of the log is known to be ahead of what was committed.
func (b *board) ahead() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.behind.IsZero() {
		return 0
	}
	return time.Since(b.behind)
}

// stalled notes that a subscription was replaced, or that one delivers again.
func (b *board) stalled(replaced int64, hopeless bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Restarts += replaced
	b.status.Stalled = hopeless
}

// set changes the state and reports whether it, or its reason, is another one now.
func (b *board) set(state State, reason string) bool {
	b.mu.Lock()
	s := &b.status
	changed := s.State != state
	same := !changed && s.Reason == reason
	if changed {
		s.State, s.Since = state, time.Now()
	}
	s.Reason = reason
	b.broadcast()
	b.mu.Unlock()
	switch {
	case same:
	case b.up != nil: // the state of the projection is that of all shards
		b.up(true)
	default:
		b.hooks.state(b.status.Name, state, reason)
	}
	return !same
}

// settle notes that a shard has nothing to do up to a position, which is not committed yet.
func (b *board) settle(p checkpoint.Position) {
	b.mu.Lock()
	b.done = p
	b.mu.Unlock()
	b.up(false)
}

// settled returns up to where everything is done; ok is false if that is somebody else's to say.
func (b *board) settled() (p checkpoint.Position, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done, b.status.Epoch > 0
}

// own notes that a lease was acquired.
func (b *board) own(lease checkpoint.Lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.status
	s.Epoch, s.Position = lease.Epoch(), lease.Position()
	b.done = s.Position
	if s.Handled+s.Ignored+s.Skipped == 0 { // else it goes on with what it has begun
		s.Resumed = s.Position
	}
	b.compare()
}

// elsewhere notes how far a shard is that was never owned here.
func (b *board) elsewhere(p checkpoint.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := &b.status; s.Position.IsStart() {
		s.Position, s.Resumed = p, p
	}
}

// disown notes that the lease is gone.
func (b *board) disown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Epoch = 0
	b.oldest = time.Time{}
}

// head notes where the source ends.
func (b *board) head(p checkpoint.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Head, b.away = p, nil
	b.compare()
}

// unreachable notes why the end of the source is not known, which is shown until it is, or until events come again.
func (b *board) unreachable(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = why
	b.broadcast()
}

// hand notes the oldest event that is not yet committed; zero if there is none.
func (b *board) hand(oldest time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.oldest = oldest
}

// committed notes a commit.
func (b *board) committed(c Commit) {
	b.mu.Lock()
	s := &b.status
	s.Position, s.LastCommit, s.LastError = c.Position, time.Now(), nil
	s.Handled += int64(c.Handled)
	s.Ignored += int64(c.Ignored)
	s.Skipped += int64(c.Skipped)
	b.away = nil
	b.compare()
	b.broadcast()
	if order, ok := c.Position.Compare(b.done); ok && order > 0 {
		b.done = c.Position
	}
	b.mu.Unlock()
	if b.up != nil {
		b.up(false)
	}
	b.hooks.commit(s.Name, c)
}

// skipped notes events that are passed over outside of a commit that moves the position.
func (b *board) skipped(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Skipped += n
}

// dropped notes parked events that were dropped on command.
func (b *board) dropped(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Dropped += n
}

// expired notes parked events that were dropped because they were not to be kept.
func (b *board) expired(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Expired += n
}

// parked notes how many events of how many ordering keys are parked.
func (b *board) parked(events int64, keys int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Parked, b.status.ParkedKeys = events, keys
}

// gap notes numbers that are missing in a stream.
func (b *board) gap(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Gaps += n
}

// failed notes a failure.
func (b *board) failed(class Class, err error) {
	b.mu.Lock()
	b.status.LastError = err
	b.mu.Unlock()
	b.hooks.failure(b.status.Name, class, err)
}

// compare works out whether the position is behind the head. b.mu is held.
func (b *board) compare() {
	s := &b.status
	order, ok := s.Position.Compare(s.Head)
	switch {
	case ok && order > 0:
		s.Head = s.Position
		b.behind = time.Time{}
	case ok && order == 0:
		b.behind = time.Time{}
	case b.behind.IsZero():
		b.behind = time.Now()
	}
}

func (b *board) snapshot() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.LagEvents, s.Lag = -1, -1
	if s.Epoch == 0 {
		return s // the position is somebody else's to move
	}
	if b.away != nil {
		if s.State == StateLive || s.State == StateCatchingUp {
			s.State, s.Reason = StatePaused, fmt.Sprintf("%s does not answer: %v", s.Source, b.away)
		}
		return s
	}
	s.LagEvents = s.Position.EventsUntil(s.Head)
	switch {
	case !b.oldest.IsZero():
		s.Lag = max(0, time.Since(b.oldest))
	case b.behind.IsZero():
		s.Lag = 0
	case s.State == StateLive:
		s.Lag = time.Since(b.behind)
	}
	return s
}
