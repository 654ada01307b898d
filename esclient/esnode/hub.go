package esnode

import (
	"slices"
	"sync"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
)

// hub hands what is committed to the subscriptions.
type hub struct {
	node *Node

	mu       sync.RWMutex
	byStream map[string][]listener
	all      []listener
}

// listener is a live subscription. deliver is called by the goroutine that commits, one event at a time and in order of
// the log, and must not wait.
type listener interface {
	deliver(*liveEvent)
	// farewell tells the client that the subscription ends because the node does.
	farewell()
}

// liveEvent is an event that was just committed. It is valid only during deliver.
type liveEvent struct {
	eventlog.Resolved
	stream   []byte
	number   int64
	log      *eventlog.Log
	isLink   bool
	resolved *eventlog.Resolved
}

// resolve follows the event if it is a link, once for all subscriptions that want that.
func (e *liveEvent) resolve() eventlog.Resolved {
	if !e.isLink {
		return e.Resolved
	}
	if e.resolved == nil {
		r, err := e.log.Resolve(e.Resolved)
		if err != nil || r.Link == nil {
			r = e.Resolved
			r.Event, r.Link = nil, e.Event // what is no link, though its type says so, is pushed as an unresolvable one
		}
		e.resolved = &r
	}
	return *e.resolved
}

func (h *hub) init(n *Node) {
	h.node, h.byStream = n, map[string][]listener{}
}

// listen adds a subscription; "" is all streams. confirm is called before any event is delivered, with the position of
// the last event that will not be.
func (h *hub) listen(stream string, l listener, confirm func(lastCommit int64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	confirm(h.node.log.LastCommit())
	if stream == "" {
		h.all = append(slices.Clip(h.all), l)
		return
	}
	h.byStream[stream] = append(slices.Clip(h.byStream[stream]), l)
}

func (h *hub) remove(stream string, l listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	without := func(list []listener) []listener {
		kept := make([]listener, 0, len(list))
		for _, other := range list {
			if other != l {
				kept = append(kept, other)
			}
		}
		return kept
	}
	if stream == "" {
		h.all = without(h.all)
	} else if kept := without(h.byStream[stream]); len(kept) > 0 {
		h.byStream[stream] = kept
	} else {
		delete(h.byStream, stream)
	}
}

// publish delivers a batch. The log calls it, one batch at a time.
func (h *hub) publish(b eventlog.Batch) {
	h.mu.RLock()
	quiet := len(h.all) == 0 && len(h.byStream) == 0
	h.mu.RUnlock()
	if quiet {
		return
	}
	b.Each(func(r eventlog.Resolved) {
		e := liveEvent{Resolved: r, log: h.node.log}
		var ok bool
		if e.stream, e.number, ok = eventlog.ParseHead(r.Event); !ok {
			return
		}
		h.mu.RLock()
		some, all := h.byStream[string(e.stream)], h.all
		h.mu.RUnlock()
		if len(some) == 0 && len(all) == 0 {
			return
		}
		e.isLink = eventlog.IsLink(r.Event)
		for _, l := range some {
			l.deliver(&e)
		}
		for _, l := range all {
			l.deliver(&e)
		}
	})
}

// dropAll says goodbye to every subscriber.
func (h *hub) dropAll() {
	h.mu.Lock()
	list := slices.Clone(h.all)
	for _, some := range h.byStream {
		list = append(list, some...)
	}
	h.all, h.byStream = nil, map[string][]listener{}
	h.mu.Unlock()
	for _, l := range list {
		l.farewell()
	}
}
