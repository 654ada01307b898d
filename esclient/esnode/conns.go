package esnode

import (
	"sync"
	"sync/atomic"
	"time"
)

// conns are the connections of a node.
type conns struct {
	next   atomic.Int64
	mu     sync.Mutex
	live   map[*conn]struct{}
	sealed bool
	empty  chan struct{} // closed when the last one has gone, after seal
}

// add reports whether the connection may be served.
func (s *conns) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return false
	}
	s.live[c] = struct{}{}
	return true
}

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
	if s.sealed && len(s.live) == 0 {
		close(s.empty)
	}
}

func (s *conns) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*conn, 0, len(s.live))
	for c := range s.live {
		list = append(list, c)
	}
	return list
}

// seal lets no more connections in and returns those that are there.
func (s *conns) seal() []*conn {
	list := s.all()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sealed {
		s.sealed, s.empty = true, make(chan struct{})
		if len(s.live) == 0 {
			close(s.empty)
		}
	}
	return list
}

// wait waits until all connections have gone, and cuts off those that take too long.
func (s *conns) wait(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.empty:
		return
	case <-timer.C:
	}
	for _, c := range s.all() {
		c.drop()
	}
	<-s.empty
}
