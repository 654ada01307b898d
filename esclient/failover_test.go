package esclient_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

// TestVolatileGap cuts the connection under a volatile subscription: it goes on, and says where events may be missing.
func TestVolatileGap(t *testing.T) {
	t.Parallel()
	node := startNode(t)
	net := newNetwork()
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext))
	other := dial(t, node.URL())
	sub := c.SubscribeLive("s", esclient.SubscribeOptions{})
	defer sub.Stop()
	if err := sub.Confirmed(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, other, "s", 3)
	var got []int64
	gaps := 0
	for e, err := range sub.Events(t.Context()) {
		var gap *esclient.GapError
		switch {
		case errors.As(err, &gap):
			gaps++
			if !errors.Is(err, esclient.ErrNotConnected) {
				t.Errorf("gap because of %v", err)
			}
			waitSubscribed(t, c)
			if _, err := other.Append(t.Context(), "s", esclient.Any, numbered(100, 1)...); err != nil {
				t.Fatal(err)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		got = append(got, e.Number)
		if len(got) == 3 {
			net.cut()
		}
		if string(e.Data) == "100" {
			break
		}
	}
	if gaps != 1 || len(got) != 4 {
		t.Errorf("%d gaps, events %v", gaps, got)
	}
}

// waitSubscribed returns when everything that was sent before has been answered.
func waitSubscribed(t *testing.T, c *esclient.Client) {
	t.Helper()
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRestart restarts the server on its log, at the same address: everything goes on.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	node := startNode(t, esnode.Dir(dir), esnode.Fsync(esnode.FsyncNever))
	address := node.Addr().String()
	c := dial(t, node.URL(), esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond, Attempts: esclient.Unlimited}))
	fill(t, c, "s", 100)
	settings := esclient.DefaultPersistentSettings()
	settings.StartFrom = 0
	if err := c.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
		t.Fatal(err)
	}
	catchUp := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer catchUp.Stop()
	if n := nextLive(t, catchUp); n != 100 {
		t.Fatalf("got %d events", n)
	}
	group := c.SubscribePersistent("s", "g", esclient.PersistentOptions{Buffer: 10, ManualAck: true})
	defer group.Stop()
	first, err := group.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live := confirmedLive(t, c)
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	pending := c.AppendAsync(t.Context(), "s", 99, numbered(100, 1)...)
	startNode(t, esnode.Dir(dir), esnode.Fsync(esnode.FsyncNever), esnode.Listen(address))
	if got, err := pending.Wait(t.Context()); err != nil || got.First != 100 {
		t.Errorf("append: %v %v", got, err)
	}
	for e, err := range catchUp.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, 100)
		break
	}
	again, err := group.Next(t.Context())
	if err != nil || again.Events[0].Number != first.Events[0].Number {
		t.Errorf("unacked events did not come again: %v, %v", again.Events, err)
	}
	wantGap(t, c, live)
}

// confirmedLive is a volatile subscription to s that delivers what is written from now on.
func confirmedLive(t *testing.T, c *esclient.Client) *esclient.Subscription {
	t.Helper()
	sub := c.SubscribeLive("s", esclient.SubscribeOptions{})
	t.Cleanup(sub.Stop)
	if err := sub.Confirmed(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sub
}

// wantGap checks that a volatile subscription has reported a gap, and goes on: what its client writes after that comes.
func wantGap(t *testing.T, c *esclient.Client, sub *esclient.Subscription) {
	t.Helper()
	b, err := sub.Next(t.Context())
	var gap *esclient.GapError
	if !errors.As(err, &gap) || !errors.Is(err, esclient.ErrNotConnected) && !errors.Is(err, esclient.ErrDropped) {
		t.Fatalf("live: got %v, %v, want a gap first", b.Events, err)
	}
	// A client says everything in order: the subscription was asked for again before this is written.
	written, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "counted"})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range sub.Events(t.Context()) {
		switch {
		case errors.As(err, &gap): // on the way to the leader
		case err != nil:
			t.Fatal(err)
		case e.Number == written.First:
			return
		}
	}
}

// TestLeaderMoves kills the leader of a cluster: appends, catch-up and group follow to the new one.
func TestLeaderMoves(t *testing.T) {
	t.Parallel()
	cluster, err := esnode.StartCluster(3, esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	fast := esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond, Attempts: esclient.Unlimited})
	c := dial(t, cluster.DiscoverURL(), fast, esclient.WithDiscovery(100, time.Millisecond, time.Second))
	fill(t, c, "s", 10)
	settings := esclient.DefaultPersistentSettings()
	settings.StartFrom = 0
	if err := c.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
		t.Fatal(err)
	}
	catchUp := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer catchUp.Stop()
	nextLive(t, catchUp)
	group := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	defer group.Stop()
	if b, err := group.Next(t.Context()); err != nil || len(b.Events) == 0 {
		t.Fatal(b, err)
	}
	live := confirmedLive(t, c)
	leader := cluster.Leader()
	if _, err := cluster.Failover(); err != nil {
		t.Fatal(err)
	}
	if cluster.Leader() == leader {
		t.Fatal("the leader has not moved")
	}
	if got, err := c.Append(t.Context(), "s", 9, numbered(10, 1)...); err != nil || got.First != 10 {
		t.Errorf("append: %v %v", got, err)
	}
	for e, err := range catchUp.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, 10)
		break
	}
	for e, err := range group.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Number == 10 {
			break
		}
	}
	wantGap(t, c, live)
	// A client that is told one address only, that of a follower, is sent on to the leader when it writes. The follower had
	// served its volatile subscription.
	follower := (cluster.Leader() + 1) % cluster.Size()
	if follower == leader {
		follower = (follower + 1) % cluster.Size()
	}
	single := dial(t, cluster.URL(follower), fast)
	live = confirmedLive(t, single)
	if got, err := single.Append(t.Context(), "s", 11, numbered(12, 1)...); err != nil || got.First != 12 {
		t.Errorf("through a follower: %v %v", got, err)
	}
	wantGap(t, single, live)
}

// TestHalfOpenSubscriptions stalls the server under subscriptions of every kind: heartbeats find out, and they go on.
func TestHalfOpenSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, network := pipeSetup(t, nil, esclient.WithHeartbeat(time.Second, time.Second))
		other, err := esclient.Dial(t.Context(), node.URL(), esclient.WithDialer(network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		settings := esclient.DefaultPersistentSettings()
		if err := other.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
			t.Fatal(err)
		}
		catchUp := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
		nextLive(t, catchUp)
		group := c.SubscribePersistent("s", "g", esclient.PersistentOptions{ManualAck: true})
		live := c.SubscribeLive("s", esclient.SubscribeOptions{})
		for _, s := range []*esclient.Subscription{group.Subscription, live} {
			if err := s.Confirmed(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		// The node stalls the first connection with the next thing it sends there.
		remove := node.Intercept(esnode.StreamEventAppeared, func(p esnode.Package) esnode.Fault {
			return esnode.Fault{Stall: p.Conn == 1}
		})
		defer remove()
		began := time.Now()
		fill(t, other, "s", 5)
		var wg sync.WaitGroup
		wg.Go(func() {
			next := int64(0)
			for e, err := range catchUp.Events(t.Context()) {
				if err != nil {
					t.Error(err)
					return
				}
				wantNumber(t, e, next)
				if next++; next == 5 {
					return
				}
			}
		})
		wg.Go(func() {
			seen := map[int64]bool{}
			for e, err := range group.Events(t.Context()) {
				if err != nil {
					t.Error(err)
					return
				}
				seen[e.Number] = true
				group.Ack(e)
				if len(seen) == 5 {
					return
				}
			}
		})
		wg.Go(func() {
			for _, err := range live.Events(t.Context()) {
				var gap *esclient.GapError
				if errors.As(err, &gap) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Wait()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		_ = c.Close()
		_ = other.Close()
		_ = node.Close()
	})
}

// TestNotReadySubscriptions answers everything a subscription asks for with "not ready" at first.
func TestNotReadySubscriptions(t *testing.T) {
	t.Parallel()
	node := startNode(t)
	net := newNetwork()
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext))
	fill(t, c, "s", 5)
	settings := esclient.DefaultPersistentSettings()
	settings.StartFrom = 0
	if err := c.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
		t.Fatal(err)
	}
	notReady := esnode.Fault{Answer: &esnode.Package{Command: esnode.NotHandled, Payload: []byte{0x08, 0x00}}}
	for _, cmd := range []esnode.Command{esnode.ReadStreamEventsForward, esnode.SubscribeToStream, esnode.ConnectToPersistentSubscription} {
		node.Intercept(cmd, esnode.Times(2, notReady))
	}
	live := confirmedLive(t, c)
	catchUp := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer catchUp.Stop()
	if n := nextLive(t, catchUp); n != 5 {
		t.Errorf("catch-up: %d events", n)
	}
	group := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	defer group.Stop()
	if b, err := group.Next(t.Context()); err != nil || len(b.Events) == 0 {
		t.Errorf("group: %d events, %v", len(b.Events), err)
	}
	if s := c.Stats(); s.Connections != 1 || s.Retries < 6 {
		t.Errorf("%+v", s)
	}
	catchUp.Stop()
	resubscribed := make(chan struct{}, 100)
	node.Intercept(esnode.SubscriptionConfirmation, func(esnode.Package) esnode.Fault {
		resubscribed <- struct{}{}
		return esnode.Fault{}
	})
	node.Intercept(esnode.SubscribeToStream, esnode.Times(2, notReady))
	net.cut()
	<-resubscribed
	wantGap(t, c, live)
	if len(resubscribed) != 0 {
		t.Error("subscribed twice")
	}
}

// TestReadsUnderCuts reads a stream with iterators while the connection breaks at random bytes.
func TestReadsUnderCuts(t *testing.T) {
	t.Parallel()
	const events = 20_000
	node := startNode(t)
	fill(t, dial(t, node.URL()), "s", events)
	net := newNetwork()
	net.budget = randomBudget(100_000)
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext), esclient.WithRetries(esclient.Unlimited),
		esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited}))
	next := int64(0)
	for e, err := range c.StreamEvents(t.Context(), "s", 0, esclient.ReadOptions{PageSize: 200}) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, next)
		next++
	}
	for e, err := range c.StreamEvents(t.Context(), "s", esclient.EndOfStream, esclient.ReadOptions{PageSize: 200, Backward: true}) {
		if err != nil {
			t.Fatal(err)
		}
		next--
		wantNumber(t, e, next)
	}
	if next != 0 || net.cuts.Load() < 5 {
		t.Errorf("%d events missing, %d cuts", next, net.cuts.Load())
	}
}
