package esnode

import (
	"fmt"
	"strings"
	"time"
)

// Cluster looks like several nodes of one cluster to its clients: each member has its own ports, one of them leads, and
// the others redirect or serve what a follower serves. All share one log in one process, so nothing is ever lost or late;
// what a client can see of elections, dead members and redirects is like that of a real cluster.
type Cluster struct{ node *Node }

// StartCluster starts a cluster of so many members. The options are those of [Start]; addresses should have port 0, and
// [HTTP] is on, because clients find the members by gossip.
func StartCluster(members int, opts ...Option) (*Cluster, error) {
	cfg := defaults()
	cfg.http, cfg.httpListen = true, "127.0.0.1:0"
	for _, o := range opts {
		o.apply(&cfg)
	}
	if members < 1 {
		cfg.invalid("StartCluster: %d members", members)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n, err := start(cfg, members)
	if err != nil {
		return nil, err
	}
	return &Cluster{n}, nil
}

// Node returns what the members share: faults, users, the log.
func (c *Cluster) Node() *Node { return c.node }

// Size returns the number of members, dead ones included.
func (c *Cluster) Size() int { return len(c.node.members) }

// Leader returns the index of the leader: the one the others believe in, which may be dead.
func (c *Cluster) Leader() int { return int(c.node.leading.Load()) }

// URL returns how a client reaches one member over plain TCP.
func (c *Cluster) URL(member int) string {
	return "tcp://admin:changeit@" + c.node.members[member].tcp.Addr().String()
}

// HTTPURL returns the address of the HTTP interface of one member.
func (c *Cluster) HTTPURL(member int) string { return c.node.members[member].httpURL() }

// DiscoverURL returns how a client finds the leader by the gossip of all members:
// discover://admin:changeit@127.0.0.1:2113,127.0.0.1:2114.
func (c *Cluster) DiscoverURL() string {
	var seeds []string
	for _, m := range c.node.members {
		seeds = append(seeds, strings.TrimPrefix(m.httpURL(), "http://"))
	}
	return "discover://admin:changeit@" + strings.Join(seeds, ",")
}

// Kill ends a member like a process that dies: its ports are closed and its connections cut. If it was the leader, the
// others believe in it until [Cluster.Elect].
func (c *Cluster) Kill(member int) { c.node.members[member].kill() }

// Elect makes another member the leader: the next one that is alive. It returns its index, or an error if there is none.
func (c *Cluster) Elect() (int, error) {
	old := c.Leader()
	for i := 1; i <= c.Size(); i++ {
		next := (old + i) % c.Size()
		if !c.node.members[next].dead.Load() && next != old {
			c.node.leading.Store(int32(next))
			c.node.epoch.Add(1)
			c.node.psubs.restart()
			return next, nil
		}
	}
	return old, fmt.Errorf("elect: no other member of %d is alive", c.Size())
}

// ElectAfter is Elect once the others have noticed, which takes them a time of the node's clock.
func (c *Cluster) ElectAfter(d time.Duration) {
	c.node.after(d, func() {
		if _, err := c.Elect(); err != nil {
			c.node.cfg.log.Error("no leader", "err", err)
		}
	})
}

// Failover kills the leader and makes another member the leader at once. It returns the index of that.
func (c *Cluster) Failover() (int, error) {
	c.Kill(c.Leader())
	return c.Elect()
}

// Close ends all members.
func (c *Cluster) Close() error { return c.node.Close() }
