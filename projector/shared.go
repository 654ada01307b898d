package projector

import (
	"context"
	"slices"
	"sync"
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

// hub lets projections that read the same source share one subscription, as long as they are at about the same position.
// One that is elsewhere, or too slow, has a subscription of its own until it is where the others are.
//
// The shards of a projection share one likewise: each gets the events of its own.
//
// The mutex guards all feeds and followers.
type hub struct {
	src    source.Source
	shards *shardSet // nil = all get all events
	mu     sync.Mutex
	feed   *feed          // that can be followed; nil = none
	coming map[*task]bool // have not subscribed yet, and will soon
}

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

// follower is the subscription of one projection, or of a shard.
type follower struct {
	hub      *hub
	shard    *shard // nil = gets all events
	position checkpoint.Position

	feed   *feed // nil = reads alone
	next   int64 // number of the next batch
	skip   int   // so many of its events were had already
	joined int64 // batches from here on were made after it began to follow
	owed   bool  // it was not told whether it is at the end

	own      source.Subscription // nil = none
	splitter *splitter           // of own
	failed   error               // of splitter: there will be no more
}

var _ source.Subscription = (*follower)(nil)

// newHub makes a hub for tasks that read the same.
func newHub(tasks []*task) *hub {
	h := &hub{src: tasks[0].p.source, coming: make(map[*task]bool)}
	for _, t := range tasks {
		t.hub, h.coming[t] = h, true
	}
	return h
}

// subscribe follows the feed if that is at the position, begins one if there is none, and reads alone otherwise.
func (h *hub) subscribe(ctx context.Context, t *task, after checkpoint.Position) (source.Subscription, error) {
	f := &follower{hub: h, position: after}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.arrived(t)
	h.follow(ctx, f)
	return f, nil
}

func (h *hub) follow(ctx context.Context, f *follower) {
	if h.feed == nil {
		h.begin(ctx, f.position)
	}
	h.feed.join(f)
}

// open subscribes to what all share. The mutex is not held.
func (h *hub) open(ctx context.Context, after checkpoint.Position) (source.Subscription, error) {
	if h.shards != nil {
		return h.shards.subscribe(ctx, after) // perhaps to what is shared with other projections
	}
	return h.src.Subscribe(ctx, after)
}

// arrived notes that nobody has to wait for a task any more.
func (h *hub) arrived(t *task) {
	delete(h.coming, t)
	if h.feed != nil {
		h.feed.taken()
	}
}

// absent notes that a task will not subscribe soon. The mutex is not held.
func (h *hub) absent(t *task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived(t)
}

// begin starts a feed. The mutex is held, as in all that follows unless it says otherwise.
func (h *hub) begin(ctx context.Context, after checkpoint.Position) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	fd := &feed{
		hub: h, followers: map[*follower]bool{}, before: after,
		more: make(chan struct{}), room: make(chan struct{}, 1), stop: stop, done: make(chan struct{}),
	}
	h.feed = fd
	go fd.run(ctx) // ends with the last follower, who waits for it
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

// Next implements [source.Subscription].
func (f *follower) Next(ctx context.Context) (source.Batch, error) {
	for {
		f.hub.mu.Lock()
		fd := f.feed
		if fd == nil {
			f.hub.mu.Unlock()
			return f.alone(ctx)
		}
		b, ok, err := f.take()
		more, owed := fd.more, f.owed
		f.hub.mu.Unlock()
		if ok || err != nil {
			return b, err
		}
		if owed {
			f.owed = false
			if b, ok, err := f.atEnd(ctx); ok || err != nil {
				return b, err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return source.Batch{}, ctx.Err()
		}
	}
}

// take returns the next batch of the feed, if there is one. Only a batch made after he began to follow can tell him that he
// is at the end: there may have been more by then.
func (f *follower) take() (b source.Batch, ok bool, err error) {
	fd := f.feed
	i := f.next - fd.first
	if i == int64(len(fd.batches)) {
		return source.Batch{}, false, fd.err
	}
	shared := fd.batches[i]
	b = shared.Batch
	b.Events = b.Events[f.skip:]
	f.skip = 0
	last := i == int64(len(fd.batches))-1
	fresh := f.next >= f.joined
	f.owed = b.Live && last && !fresh
	b.Live = b.Live && last && fresh
	f.next++
	b = f.part(b, shared.split)
	f.position = b.Position
	fd.taken()
	return b, true, nil
}

// atEnd asks the source itself whether he is at the end. The mutex is not held.
func (f *follower) atEnd(ctx context.Context) (source.Batch, bool, error) {
	head, err := f.hub.src.Head(ctx)
	if err != nil {
		return source.Batch{}, false, err
	}
	if order, ok := f.position.Compare(head); ok && order < 0 {
		return source.Batch{}, false, nil // more is on its way
	}
	return f.part(source.Batch{Position: f.position, Live: true}, nil), true, nil
}

// alone reads his own subscription, until he is where the feed is. The mutex is not held.
func (f *follower) alone(ctx context.Context) (source.Batch, error) {
	if f.failed != nil {
		return source.Batch{}, f.failed
	}
	if f.own == nil {
		own, err := f.hub.src.Subscribe(ctx, f.position)
		if err != nil {
			return source.Batch{}, err
		}
		f.own, f.splitter = own, f.hub.splitter(f.position)
	}
	b, err := f.own.Next(ctx)
	if err != nil {
		return b, err
	}
	if f.shard != nil {
		var shared sharedBatch
		shared, f.failed = f.splitter.split(b, f.shard.index)
		b = f.part(shared.Batch, shared.split)
	}
	f.position = b.Position
	if f.failed != nil {
		return b, nil
	}
	f.hub.mu.Lock()
	joined := f.hub.feed != nil && f.hub.feed.join(f)
	f.hub.mu.Unlock()
	if joined {
		f.owed = f.owed && !b.Live
		own := f.own
		f.own = nil
		return b, own.Close()
	}
	return b, nil
}

// abandon ends the feed for all who follow it: it delivers nothing although it should.
func (f *follower) abandon() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if fd := f.feed; fd != nil {
		fd.fail(errStalled)
		if fd.outer != nil {
			fd.outer.abandon()
		}
	}
}

// Close implements [source.Subscription].
func (f *follower) Close() error {
	f.hub.mu.Lock()
	fd := f.feed
	last := false
	if fd != nil {
		f.feed = nil
		delete(fd.followers, f)
		if last = len(fd.followers) == 0; last {
			fd.fail(context.Canceled)
		}
		fd.taken()
	}
	f.hub.mu.Unlock()
	if last {
		<-fd.done
	}
	if f.own != nil {
		return f.own.Close()
	}
	return nil
}
