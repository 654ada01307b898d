package esnode

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// gossipStates returns the states of all members, as one of them tells.
func gossipStates(t *testing.T, url string) (states []string) {
	t.Helper()
	w := &web{t: t, base: url, http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	var g struct{ Members []gossipMember }
	if err := json.Unmarshal([]byte(w.want(200, "GET", "/gossip", "", "")), &g); err != nil {
		t.Fatal(err)
	}
	for _, m := range g.Members {
		state := m.State
		if !m.IsAlive {
			state += " dead"
		}
		states = append(states, state)
	}
	return states
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c, err := StartCluster(3)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := gossipStates(t, c.HTTPURL(2)), []string{"Master", "Slave", "Slave"}; !slices.Equal(got, want) {
		t.Errorf("gossip %q, want %q", got, want)
	}
	if got := strings.Count(c.DiscoverURL(), ":"); !strings.HasPrefix(c.DiscoverURL(), "discover://admin:changeit@127.0.0.1:") || got != 5 {
		t.Errorf("%s", c.DiscoverURL())
	}
	at := func(member int) *rawClient {
		nc, err := net.Dial("tcp", c.node.members[member].tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		return &rawClient{t: t, nc: nc}
	}
	leader, follower := at(0), at(1)
	leader.append("s", "before")
	sub := follower.nextID()
	follower.sendAs(SubscribeToStream, sub, msg(1, "s", 2, 0))
	follower.want(SubscriptionConfirmation)

	c.Kill(0)
	if _, err := leader.next(); err == nil {
		t.Error("the connection to the dead leader is open")
	}
	if _, err := net.Dial("tcp", c.node.members[0].tcp.Addr().String()); err == nil {
		t.Error("the dead leader accepts connections")
	}
	if got, want := gossipStates(t, c.HTTPURL(1)), []string{"Master", "Slave", "Slave"}; !slices.Equal(got, want) {
		t.Errorf("gossip before the election %q, want %q", got, want)
	}
	if f := follower.ask(WriteEvents, writeMsg("s", -2, "too early"), NotHandled); f[1][0].varint != 2 {
		t.Errorf("got %v, want NotMaster", f)
	}
	next, err := c.Elect()
	if err != nil || next != 1 || c.Leader() != 1 {
		t.Fatalf("elected %d, %v", next, err)
	}
	if got, want := gossipStates(t, c.HTTPURL(1)), []string{"Unknown dead", "Master", "Slave"}; !slices.Equal(got, want) {
		t.Errorf("gossip %q, want %q", got, want)
	}
	// The connection and the subscription live on, and the member leads.
	follower.send(WriteEvents, writeMsg("s", -2, "after"))
	got := []Command{}
	for range 2 {
		f, err := follower.next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.cmd)
	}
	slices.Sort(got)
	if want := []Command{WriteEventsCompleted, StreamEventAppeared}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := follower.bodiesOf("s"), []string{"before", "after"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if next, err := c.Failover(); err != nil || next != 2 {
		t.Errorf("second failover: %d, %v", next, err)
	}
	if _, err := c.Failover(); err == nil {
		t.Error("a cluster without members elected a leader")
	}
}
