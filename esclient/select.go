package esclient

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Preference says which node of a cluster to connect to. Where there is none of that kind, the next best is taken.
type Preference uint8

// The preferences.
const (
	PreferLeader Preference = iota
	PreferFollower
	PreferReadOnlyReplica
	PreferRandom // any node that serves clients
)

func (p Preference) String() string {
	names := preferenceNames()
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Preference(%d)", uint8(p))
}

// UnmarshalText reads the name of a preference: leader, follower, read-only-replica, random.
func (p *Preference) UnmarshalText(text []byte) error {
	i := slices.Index(preferenceNames(), string(text))
	if i < 0 {
		return fmt.Errorf("%w: node preference %q: want one of %q", ErrInvalidOption, text, preferenceNames())
	}
	*p = Preference(i)
	return nil
}

func preferenceNames() []string { return []string{"leader", "follower", "read-only-replica", "random"} }

// Selector chooses a node to connect to among those that are alive and serve clients; ok false refuses them all for now.
type Selector func(nodes []Node) (n Node, ok bool)

// serving reports whether a node can be asked at all. Unknown states of later servers may be.
func (n Node) serving() bool {
	switch n.State {
	case "Initializing", "DiscoverLeader", "Unknown", "PreReplica", "CatchingUp", "PreMaster", "PreLeader", "Manager",
		"ShuttingDown", "Shutdown", "ReadOnlyLeaderless", "PreReadOnlyReplica", "ResigningLeader":
		return false
	}
	return n.Alive
}

// choose returns the node to connect to.
func (c *config) choose(nodes []Node) (Node, bool) {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool {
		return !n.serving() || n.endpoint(c.url.tls) == (Endpoint{})
	})
	if c.selector != nil {
		return c.selector(nodes)
	}
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	if len(nodes) == 0 {
		return Node{}, false
	}
	return slices.MinFunc(nodes, func(a, b Node) int { return c.preference.rank(a) - c.preference.rank(b) }), true
}

// rank is lower for a better node. States that nobody knows come last.
func (p Preference) rank(n Node) int {
	order := []NodeState{StateLeader, StateFollower, StateClone, StateReadOnlyReplica}
	switch p {
	case PreferRandom:
		return 0
	case PreferFollower:
		order = []NodeState{StateFollower, StateClone, StateReadOnlyReplica, StateLeader}
	case PreferReadOnlyReplica:
		order = []NodeState{StateReadOnlyReplica, StateFollower, StateClone, StateLeader}
	}
	if i := slices.Index(order, n.State); i >= 0 {
		return i
	}
	return len(order)
}

// endpoint returns where to connect to a node. Without TLS in the URL, plain TCP is taken where there is any.
func (n Node) endpoint(wantTLS bool) Endpoint {
	if wantTLS || n.TCP == (Endpoint{}) {
		return n.TLS
	}
	return n.TCP
}
