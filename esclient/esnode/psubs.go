package esnode

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/photonpump/projector/esclient/esnode/internal/eventlog"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

const (
	configStream = "$persistentSubscriptionConfig"
	configType   = "PersistentConfig1"

	// sweepPeriod is how often messages that took too long and checkpoints are looked at.
	sweepPeriod = time.Second
)

// psubs are the persistent subscriptions of a node.
type psubs struct {
	node *Node

	mu     sync.Mutex
	groups map[string]*group
	order  []string // keys in the order in which the groups were made
	ended  bool     // no group is made any more
}

// groupConfig is what the log holds about all groups.
type groupConfig struct {
	Version   string          `json:"version"`
	Updated   string          `json:"updated"`
	UpdatedBy string          `json:"updatedBy"`
	Entries   []groupSettings `json:"entries"`
}

// start makes the groups that the log knows of.
func (s *psubs) start(n *Node) error {
	s.node, s.groups = n, map[string]*group{}
	p := n.log.ReadEvent(configStream, -1, false)
	defer p.Release()
	if p.Err != nil {
		return p.Err
	}
	if len(p.Events) == 1 {
		e, _ := eventlog.ParseEvent(p.Events[0].Event)
		var c groupConfig
		if err := json.Unmarshal(e.Data, &c); err != nil {
			return fmt.Errorf("read %s: %w", configStream, err)
		}
		for _, settings := range c.Entries {
			s.put(settings)
		}
	}
	s.tick()
	return nil
}

func (s *psubs) tick() {
	s.node.after(sweepPeriod, func() {
		now := s.node.cfg.clock.Now()
		for _, g := range s.list("") {
			g.sweep(now)
		}
		s.tick()
	})
}

// list returns the groups of a stream, or all, in the order in which they were made.
func (s *psubs) list(stream string) []*group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*group
	for _, key := range s.order {
		if g := s.groups[key]; stream == "" || g.settings.Stream == stream {
			list = append(list, g)
		}
	}
	return list
}

func (s *psubs) find(stream, name string) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[stream+"::"+name]
}

// put makes a group and runs it. The caller holds the lock, or is the only one.
func (s *psubs) put(settings groupSettings) {
	g := newGroup(s.node, settings)
	if _, known := s.groups[settings.key()]; !known {
		s.order = append(s.order, settings.key())
	}
	s.groups[settings.key()] = g
	s.node.hub.listen(settings.Stream, g, func(int64) {})
	s.node.work.Go(g.run) // ends with group.stop
}

const textClosing = "The node is shutting down."

// change is what was asked of a group, in the words of create; update and delete say DoesNotExist with the same number.
type change struct {
	result wirepb.CreatePersistentSubscriptionCompleted_Result
	reason string
}

func failed(result wirepb.CreatePersistentSubscriptionCompleted_Result, format string, args ...any) change {
	return change{result, fmt.Sprintf(format, args...)}
}

const (
	changeExists = wirepb.CreatePersistentSubscriptionCompleted_RESULT_ALREADY_EXISTS // of update and delete: does not exist
	changeFailed = wirepb.CreatePersistentSubscriptionCompleted_RESULT_FAIL
	changeDenied = wirepb.CreatePersistentSubscriptionCompleted_RESULT_ACCESS_DENIED
)

// create makes a group and calls done once that is in the log.
func (s *psubs) create(u *user, settings groupSettings, done func(change)) {
	if !mayManage(u) {
		done(failed(changeDenied, "You do not have permissions to create streams"))
		return
	}
	if c := s.check(settings); c.reason != "" {
		done(c)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		done(failed(changeFailed, textClosing))
		return
	}
	if s.groups[settings.key()] != nil {
		done(failed(changeExists, "Group '%s' already exists.", settings.Group))
		return
	}
	s.put(settings)
	s.save(u, done)
}

func (s *psubs) check(settings groupSettings) change {
	switch settings.Strategy {
	case roundRobin, dispatchToSingle, pinned:
	case pinnedByCorrelation:
		if s.node.cfg.version20 {
			break
		}
		fallthrough
	default:
		return failed(changeFailed, "Consumer strategy %s does not exist.", settings.Strategy)
	}
	if settings.Stream == "" || settings.Stream == allStreams {
		return failed(changeFailed, "Bad stream name.")
	}
	return change{}
}

// update makes a group anew, which goes on from its checkpoint. Its consumers are dropped.
func (s *psubs) update(u *user, settings groupSettings, done func(change)) {
	if !mayManage(u) {
		done(failed(changeDenied, "You do not have permissions to update the subscription"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.groups[settings.key()]
	if old == nil {
		done(failed(changeExists, "Group '%s' does not exist.", settings.Group))
		return
	}
	if c := s.check(settings); c.reason != "" {
		done(c)
		return
	}
	if s.ended {
		done(failed(changeFailed, textClosing))
		return
	}
	old.stop()
	s.put(settings)
	s.save(u, done)
}

// delete ends a group and deletes its checkpoint and what it parked.
func (s *psubs) delete(u *user, stream, name string, done func(change)) {
	if !mayManage(u) {
		done(failed(changeDenied, "You do not have permissions to create streams"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[stream+"::"+name]
	if g == nil {
		done(failed(changeExists, "Group '%s' does not exist.", name))
		return
	}
	g.stop()
	delete(s.groups, g.settings.key())
	s.order = slices.DeleteFunc(s.order, func(key string) bool { return key == g.settings.key() })
	for _, stream := range []string{g.settings.checkpointStream(), g.settings.parkedStream()} {
		if s.node.log.LastNumber(stream) >= 0 {
			s.node.log.Delete(stream, eventlog.ExpectAny, false, g.written("stream of a deleted subscription cannot be deleted"))
		}
	}
	s.save(u, done)
}

// save writes the settings of all groups.
func (s *psubs) save(u *user, done func(change)) {
	c := groupConfig{Version: "2", Updated: s.node.cfg.clock.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00"), Entries: []groupSettings{}}
	if u != nil {
		c.UpdatedBy = u.login
	}
	for _, key := range s.order {
		c.Entries = append(c.Entries, s.groups[key].settings)
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		done(failed(changeFailed, "%v", err))
		return
	}
	e := eventlog.Event{ID: newGUID(), Type: configType, JSON: true, Data: data}
	s.node.log.Append(configStream, eventlog.ExpectAny, []eventlog.Event{e}, func(w eventlog.Written) {
		if w.Outcome != eventlog.Success {
			done(failed(changeFailed, "%v", cmp.Or(w.Err, eventlog.ErrClosed)))
			return
		}
		done(change{})
	})
}

func mayManage(u *user) bool { return u.isAdmin() || u.in(groupOps) }

// restart makes all groups anew from their checkpoints, as a new leader does.
func (s *psubs) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for _, key := range s.order {
		old := s.groups[key]
		old.stop()
		s.put(old.settings)
	}
}

// stop ends all groups.
func (s *psubs) stop() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	for _, g := range s.list("") {
		g.stop()
	}
}
