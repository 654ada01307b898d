package projector

import (
	"context"
	"slices"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
)

const (
	// sharedBatches is how many batches of a shared subscription wait for the slowest of those who follow it.
	sharedBatches = 8
	// lookEvery is how often it is looked who waits for whom, while there is no room for another batch. Patience is counted
	// in looks, so that it grows where the machine is so busy that nobody gets on.
	lookEvery = 2 * time.Millisecond
	// sharedPatience is for how many looks the others wait for the slowest, with nothing to do, before he has to read on
	// alone.
	sharedPatience = 10
	// startPatience is for how many looks those who begin first wait for the others.
	startPatience = 100
)

// feed is one shared subscription. It ends when nobody follows it any more.
type feed struct {
	hub       *hub
	followers map[*follower]bool
	batches   []sharedBatch
	first     int64               // number of the first batch, counted from the beginning
	before    checkpoint.Position // of the first batch
	opened    bool                // before does not change any more but by reading
	live      bool                // the last batch said so
	err       error               // why there will be no more
	more      chan struct{}       // closed, and replaced, when there is another batch, or there will be none
	waited    int                 // for so many looks for those who are coming
	full      bool                // the reader waits for room
	room      chan struct{}       // one slot: there is room again

	outer *follower // of the hub outside of this one; nil = none
	stop  context.CancelFunc
	done  chan struct{}
}

// sharedBatch is a batch that is the same for all, or of which each shard has a part.
type sharedBatch struct {
	source.Batch
	split split
}

// join has f follow the feed if one of its batches, or the rest of one, is the next for him.
func (fd *feed) join(f *follower) bool {
	find := fd.find
	if f.shard != nil {
		find = fd.findNear
	}
	i, skip, ok := find(f.position)
	if !ok {
		return false
	}
	f.next, f.skip = fd.first+int64(i), skip
	f.feed, f.joined = fd, fd.first+int64(len(fd.batches))
	f.owed = fd.live && f.next == f.joined
	fd.followers[f] = true
	return true
}

// find returns the index of the batch that follows a position, and how many of its events do not.
func (fd *feed) find(p checkpoint.Position) (i, skip int, ok bool) {
	at := fd.before
	for i, b := range fd.batches {
		if at == p {
			return i, 0, true
		}
		if isBetween(at, p, b.Position) {
			after, _ := slices.BinarySearchFunc(b.Events, p, func(e source.Event, p checkpoint.Position) int {
				if order, _ := e.Position.Compare(p); order > 0 {
					return 1
				}
				return -1
			})
			return i, after, true
		}
		at = b.Position
	}
	return len(fd.batches), 0, at == p
}

// isBetween reports whether p is behind a and before b, where all positions have one order.
func isBetween(a, p, b checkpoint.Position) bool {
	_, isNumber := p.Number()
	_, _, isLog := p.Log()
	from, ok1 := a.Compare(p)
	to, ok2 := p.Compare(b)
	return (isNumber || isLog) && ok1 && ok2 && from < 0 && to < 0
}

// broadcast wakes the followers.
func (fd *feed) broadcast() {
	close(fd.more)
	fd.more = make(chan struct{})
}

// taken wakes the reader if it waits for room and there is some.
func (fd *feed) taken() {
	if !fd.full {
		return
	}
	if fd.drop(); len(fd.batches) < sharedBatches {
		fd.full = false
		fd.room <- struct{}{}
	}
}

// fail ends the feed for those who follow it, and for those to come.
func (fd *feed) fail(err error) {
	if fd.err == nil {
		fd.err = err
	}
	if fd.hub.feed == fd {
		fd.hub.feed = nil
	}
	fd.stop()
	fd.broadcast()
}

// run reads the subscription. The mutex is not held.
func (fd *feed) run(ctx context.Context) {
	defer close(fd.done)
	err := fd.read(ctx)
	fd.hub.mu.Lock()
	defer fd.hub.mu.Unlock()
	fd.fail(err)
}

func (fd *feed) read(ctx context.Context) error {
	after := fd.start(ctx)
	sub, err := fd.hub.open(ctx, after)
	if err != nil {
		return err
	}
	defer sub.Close() //nolint:errcheck // nothing can be lost any more
	fd.pass(sub)
	sp := fd.hub.splitter(after)
	for {
		b, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		shared, failed := sp.split(b, everyShard)
		if err := fd.push(ctx, shared); err != nil {
			return err
		}
		if failed != nil {
			return failed
		}
	}
}

// start waits for the shards that are to follow, and returns from where on to read. The mutex is not held.
func (fd *feed) start(ctx context.Context) checkpoint.Position {
	fd.hub.shards.gather(ctx)
	fd.hub.mu.Lock()
	defer fd.hub.mu.Unlock()
	fd.opened = true
	return fd.before
}

// pass notes a subscription that is shared itself. The mutex is not held.
func (fd *feed) pass(sub source.Subscription) {
	if f, shared := sub.(*follower); shared {
		fd.hub.mu.Lock()
		defer fd.hub.mu.Unlock()
		fd.outer = f
	}
}

// push adds a batch when there is room. The mutex is not held.
func (fd *feed) push(ctx context.Context, b sharedBatch) error {
	fd.hub.mu.Lock()
	defer fd.hub.mu.Unlock()
	looks := 0 // so often in a row somebody had nothing to do
	for {
		fd.drop()
		if len(fd.batches) < sharedBatches {
			break
		}
		switch {
		case fd.awaits():
			fd.waited++
		case looks >= sharedPatience && fd.starving():
			fd.leaveBehind()
			continue
		case fd.starving():
			looks++
		default:
			looks = 0
		}
		fd.full = true
		fd.hub.mu.Unlock()
		waitFor(ctx, fd.room, lookEvery)
		fd.hub.mu.Lock()
		if fd.full = false; ctx.Err() != nil {
			return ctx.Err()
		}
	}
	select {
	case <-fd.room: // that it was found without
	default:
	}
	fd.batches = append(fd.batches, b)
	fd.live = b.Live
	fd.broadcast()
	return nil
}

// waitFor waits for room, for some time.
func waitFor(ctx context.Context, room <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-room:
	case <-ctx.Done():
	case <-t.C:
	}
}

// awaits reports whether somebody is coming who may need the batches that all others have.
func (fd *feed) awaits() bool { return len(fd.hub.coming) > 0 && fd.waited < startPatience }

// drop forgets the batches that all have.
func (fd *feed) drop() {
	if fd.awaits() {
		return
	}
	least := fd.first + int64(len(fd.batches))
	for f := range fd.followers {
		least = min(least, f.next)
	}
	if n := least - fd.first; n > 0 {
		fd.before = fd.batches[n-1].Position
		fd.batches = slices.Delete(fd.batches, 0, int(n))
		fd.first = least
	}
}

// starving reports whether somebody has had everything and waits.
func (fd *feed) starving() bool {
	for f := range fd.followers {
		if f.next == fd.first+int64(len(fd.batches)) {
			return true
		}
	}
	return false
}

// leaveBehind has those who are last read on alone.
func (fd *feed) leaveBehind() {
	for f := range fd.followers {
		if f.next == fd.first {
			f.feed = nil
			delete(fd.followers, f)
		}
	}
}
