package projector

import (
	"context"
	"sync"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector/source"
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
