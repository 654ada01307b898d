package esclient_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// TestDiscover finds the leader, or what is preferred, from seeds and from a DNS name, with both forms of gossip.
func TestDiscover(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]esnode.Option{"5": nil, "20": {esnode.Version20()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, err := esnode.StartCluster(3, append(opts, esnode.HTTP("127.0.0.1:0"))...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cluster.Close() })
			address := func(member int) string {
				_, host, _ := strings.Cut(cluster.URL(member), "@")
				return host
			}
			connectedTo := func(url string, opts ...esclient.Option) string {
				var mu sync.Mutex
				var at string
				dial(t, url, append(opts, esclient.WithObserver(func(e esclient.ConnEvent) {
					mu.Lock()
					defer mu.Unlock()
					if e.State == esclient.Connected {
						_, at, _ = strings.Cut(e.Address, "://")
					}
				}))...)
				mu.Lock()
				defer mu.Unlock()
				return at
			}
			leader := address(cluster.Leader())
			if got := connectedTo(cluster.DiscoverURL()); got != leader {
				t.Errorf("connected to %s, the leader is %s", got, leader)
			}
			_, seed, _ := strings.Cut(cluster.HTTPURL(0), "://")
			_, port, _ := net.SplitHostPort(seed)
			if got := connectedTo("discover://admin:changeit@localhost:" + port); got != leader {
				t.Errorf("by name: connected to %s, the leader is %s", got, leader)
			}
			if got := connectedTo("discover://admin:changeit@127.0.0.1:1," + seed); got != leader {
				t.Errorf("with a dead seed: connected to %s, the leader is %s", got, leader)
			}
			if got := connectedTo(cluster.DiscoverURL() + "?prefer=follower"); got == leader || got == "" {
				t.Errorf("connected to the leader %s, or nobody: %q", leader, got)
			}
			mine := esclient.WithSelector(func(nodes []esclient.Node) (esclient.Node, bool) {
				for _, n := range nodes {
					if n.TCP.Address == address(2) {
						return n, true
					}
				}
				return esclient.Node{}, false
			})
			if got := connectedTo(cluster.DiscoverURL(), mine); got != address(2) {
				t.Errorf("own selector: connected to %s, want %s", got, address(2))
			}
		})
	}
}

func TestDiscoverNobody(t *testing.T) {
	t.Parallel()
	_, err := esclient.Dial(t.Context(), "discover://127.0.0.1:1,127.0.0.1:2", esclient.WithDiscovery(2, time.Millisecond, time.Second))
	if !errors.Is(err, esclient.ErrNotConnected) || !strings.Contains(err.Error(), "no node found at discover://127.0.0.1:1,127.0.0.1:2") {
		t.Errorf("got %v", err)
	}
}

// TestAuthFailedLater lets a server forget the user: the observer is told, the connection goes on, operations say so.
func TestAuthFailedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var states []esclient.ConnState
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, answer := range []wire.Command{wire.Authenticated, wire.NotAuthenticated} {
				s := p.open()
				s.reply(s.expect(wire.Authenticate), answer, nil)
				s.reply(s.expect(wire.IdentifyClient), wire.ClientIdentified, nil)
				if answer == wire.Authenticated {
					s.reply(s.expect(wire.Ping), wire.Pong, nil)
					s.close()
					continue
				}
				s.reply(s.expect(wire.Ping), wire.NotAuthenticated, []byte("Not Authenticated"))
				s.reply(s.expect(wire.Ping), wire.Pong, nil)
				s.drain()
			}
		})
		c := dialPeer(t, p, esclient.WithCredentials(esclient.Credentials{Login: "a", Password: "b"}),
			esclient.WithObserver(func(e esclient.ConnEvent) { states = append(states, e.State) }))
		if _, err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := c.Ping(t.Context()); !errors.Is(err, esclient.ErrNotAuthenticated) {
			t.Errorf("got %v", err)
		}
		other := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "c", Password: "d"}})
		if _, err := other.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		wg.Wait()
		want := []esclient.ConnState{esclient.Connected, esclient.Disconnected, esclient.AuthFailed, esclient.Connected, esclient.Closed}
		if len(states) != len(want) {
			t.Fatalf("told %v, want %v", states, want)
		}
		for i := range want {
			if states[i] != want[i] {
				t.Errorf("told %v, want %v", states, want)
			}
		}
	})
}
