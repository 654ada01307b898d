package esclient

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func TestParseGossip(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"http-gossip": 1, "http-gossip-format-json": 1, "http-gossip-cluster-3-nodes": 3, "http-gossip-cluster-master-killed": 3,
	} {
		nodes, err := parseGossip(wiretest.HTTP(t, name))
		if err != nil || len(nodes) != want {
			t.Errorf("%s: %d nodes, %v", name, len(nodes), err)
			continue
		}
		c := defaults()
		n, ok := c.choose(nodes)
		if !ok || n.State != StateLeader || !n.Alive || n.TCP == (Endpoint{}) || n.HTTP == "" {
			t.Errorf("%s: chose %+v, %v", name, n, ok)
		}
	}
	nodes, err := parseGossip([]byte(`{"members":[{"instanceId":"x","state":"ReadOnlyReplica","isAlive":true,"externalTcpIp":"n1",
		"externalTcpPort":0,"externalSecureTcpPort":1113,"httpEndPointIp":"n1","httpEndPointPort":2113,"isReadOnlyReplica":true}]}`))
	want := Node{ID: "x", State: StateReadOnlyReplica, Alive: true, TLS: Endpoint{"n1:1113", true}, HTTP: "n1:2113", ReadOnly: true}
	if err != nil || len(nodes) != 1 || nodes[0] != want {
		t.Errorf("got %+v, %v, want %+v", nodes, err, want)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	node := func(state NodeState, alive bool) Node {
		return Node{ID: string(state), State: state, Alive: alive, TCP: Endpoint{Address: string(state) + ":1"}}
	}
	all := []Node{
		node("ReadOnlyReplica", true), node("Follower", true), node("Leader", true), node("Clone", true), node("CatchingUp", true),
		node("Manager", true), node("Novel", true),
	}
	withoutLeader := []Node{node("Leader", false), node("Follower", true), node("ResigningLeader", true), node("ReadOnlyReplica", true)}
	tests := []struct {
		name   string
		p      Preference
		nodes  []Node
		want   NodeState
		wantOK bool
	}{
		{"leader", PreferLeader, all, "Leader", true},
		{"follower", PreferFollower, all, "Follower", true},
		{"replica", PreferReadOnlyReplica, all, "ReadOnlyReplica", true},
		{"leader is dead", PreferLeader, withoutLeader, "Follower", true},
		{"unknown state only", PreferLeader, []Node{node("Novel", true)}, "Novel", true},
		{"none serves", PreferLeader, []Node{node("CatchingUp", true), node("Leader", false)}, "", false},
		{"none at all", PreferRandom, nil, "", false},
		{"without TCP", PreferLeader, []Node{{State: StateLeader, Alive: true}}, "", false},
	}
	for _, tt := range tests {
		for range 20 { // order is shuffled
			c := defaults()
			c.preference = tt.p
			if got, ok := c.choose(tt.nodes); got.State != tt.want || ok != tt.wantOK {
				t.Errorf("%s: got %v %v, want %v %v", tt.name, got.State, ok, tt.want, tt.wantOK)
			}
		}
	}
	seen := map[NodeState]bool{}
	for range 500 {
		c := defaults()
		c.preference = PreferRandom
		n, _ := c.choose(all)
		seen[n.State] = true
	}
	if len(seen) != 5 || seen["CatchingUp"] || seen["Manager"] {
		t.Errorf("random chose among %v", seen)
	}
	c := defaults()
	c.selector = func(nodes []Node) (Node, bool) { return nodes[0], len(nodes) == 5 }
	if _, ok := c.choose(all); !ok {
		t.Error("a selector sees nodes that do not serve")
	}
}

func TestLeaderEndpoint(t *testing.T) {
	t.Parallel()
	plain := &wirepb.LeaderInfo{ExternalTcpAddress: proto.String("a"), ExternalTcpPort: proto.Int32(1)}
	secure := &wirepb.LeaderInfo{ExternalSecureTcpAddress: proto.String("b"), ExternalSecureTcpPort: proto.Int32(2)}
	both := &wirepb.LeaderInfo{}
	proto.Merge(both, plain)
	proto.Merge(both, secure)
	tests := []struct {
		info *wirepb.LeaderInfo
		tls  bool
		want Endpoint
	}{
		{plain, false, Endpoint{"a:1", false}},
		{both, false, Endpoint{"a:1", false}},
		{both, true, Endpoint{"b:2", true}},
		{secure, false, Endpoint{"b:2", true}},
		{plain, true, Endpoint{}}, // never from TLS to plain
		{&wirepb.LeaderInfo{}, false, Endpoint{}},
	}
	for _, tt := range tests {
		if got := leaderEndpoint(tt.info, tt.tls); got != tt.want {
			t.Errorf("%v, TLS %v: got %v, want %v", tt.info, tt.tls, got, tt.want)
		}
	}
}
