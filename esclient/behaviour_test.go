package esclient_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// nextLive reads until a subscription is live, and returns the number of events.
func nextLive(t *testing.T, sub *esclient.Subscription) (n int) {
	t.Helper()
	for {
		b, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(b.Events)
		if b.Live {
			return n
		}
	}
}

// TestSlowCatchUp lets a consumer stop reading for a minute while 200,000 live events arrive: the connection stays up, what
// is held is bounded, and the consumer then gets every event once, in order.
func TestSlowCatchUp(t *testing.T) {
	t.Parallel()
	events := scale(200_000, 50_000)
	synctest.Test(t, func(t *testing.T) {
		c, node, _ := pipeSetup(t, nil)
		sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{LiveQueue: 1000})
		nextLive(t, sub)
		fill(t, c, "s", events)
		time.Sleep(time.Minute)
		// What does not fit is not even received: the subscription was given up, and the pages are not asked for.
		if got, all := c.Stats().BytesReceived, int64(events)*60; got > all/4 {
			t.Errorf("received %d bytes, the events have more than %d", got, all)
		}
		if n := c.Stats().Connections; n != 1 {
			t.Errorf("%d connections, want 1: heartbeats were not answered", n)
		}
		next := int64(0)
		for next < int64(events) {
			b, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				wantNumber(t, e, next)
				next++
			}
		}
		if n := nextLive(t, sub); n != 0 {
			t.Errorf("%d events more", n)
		}
		sub.Stop()
		_ = c.Close()
		_ = node.Close()
	})
}

// TestSlowVolatile does the same to a volatile subscription, which ends and says why.
func TestSlowVolatile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, _ := pipeSetup(t, nil)
		sub := c.SubscribeLive("s", esclient.SubscribeOptions{LiveQueue: 1000})
		if err := sub.Confirmed(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill(t, c, "s", 5000)
		time.Sleep(time.Minute)
		next := int64(0)
		var err error
		for e, failed := range sub.Events(t.Context()) {
			if err = failed; err != nil {
				break
			}
			wantNumber(t, e, next)
			next++
		}
		if next != 1000 || !errors.Is(err, esclient.ErrFellBehind) || !errors.Is(sub.Err(), esclient.ErrFellBehind) {
			t.Errorf("got %d events, then %v", next, err)
		}
		<-sub.Done()
		if n := c.Stats(); n.Connections != 1 || n.InFlight != 0 {
			t.Errorf("%+v", n)
		}
		_ = c.Close()
		_ = node.Close()
	})
}

// TestSlowPersistent lets a consumer of a group stop: it never holds more than its buffer.
func TestSlowPersistent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, _ := pipeSetup(t, nil)
		settings := esclient.DefaultPersistentSettings()
		settings.StartFrom = 0
		settings.MessageTimeout = 10 * time.Minute
		if err := c.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
			t.Fatal(err)
		}
		sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{Buffer: 50})
		if err := sub.Confirmed(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill(t, c, "s", 20_000)
		time.Sleep(time.Minute)
		b, err := sub.Next(t.Context())
		if err != nil || len(b.Events) != 50 {
			t.Errorf("got %d events, %v, want 50", len(b.Events), err)
		}
		seen := map[int64]bool{}
		for _, e := range b.Events {
			seen[e.Number] = true
		}
		for len(seen) < 20_000 {
			b, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				if seen[e.Number] {
					t.Fatalf("event %d twice", e.Number)
				}
				seen[e.Number] = true
			}
		}
		if n := c.Stats().Connections; n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		sub.Stop()
		_ = c.Close()
		_ = node.Close()
	})
}

// TestDrain ends a subscription that has events which nobody has taken yet.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, _ := pipeSetup(t, nil)
		for name, sub := range map[string]*esclient.Subscription{
			"catch-up": c.SubscribeStream("catch-up", esclient.FromEnd(), esclient.SubscribeOptions{}),
			"live":     c.SubscribeLive("live", esclient.SubscribeOptions{}),
		} {
			if name == "catch-up" {
				nextLive(t, sub)
			} else if err := sub.Confirmed(t.Context()); err != nil {
				t.Fatal(err)
			}
			fill(t, c, name, 5)
			synctest.Wait() // all have come
			n := 0
			for range sub.Events(t.Context()) {
				n++
				break
			}
			sub.Drain()
			sub.Drain()
			var last error
			for _, err := range sub.Events(t.Context()) {
				if last = err; err == nil {
					n++
				}
			}
			if n != 5 || !errors.Is(last, esclient.ErrStopped) {
				t.Errorf("%s: got %d events, then %v", name, n, last)
			}
			<-sub.Done()
		}
		_ = c.Close()
		_ = node.Close()
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 10)
	sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	for range sub.Events(t.Context()) {
		break
	}
	sub.Stop()
	sub.Stop()
	for e, err := range sub.Events(t.Context()) {
		if err == nil {
			t.Errorf("event %d after Stop", e.Number)
		}
	}
	var drop *esclient.DropError
	if err := sub.Err(); !errors.As(err, &drop) || drop.Error() != `subscription to stream "s": subscription was stopped` {
		t.Error(err)
	}
}

// TestStopWakes stops a subscription while its consumer waits.
func TestStopWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, _ := pipeSetup(t, nil)
		stopped := map[string]*esclient.Subscription{
			"catch-up": c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{}),
			"all":      c.SubscribeAll(esclient.FromEnd(), esclient.SubscribeOptions{}),
			"live":     c.SubscribeLive("s", esclient.SubscribeOptions{}),
		}
		var wg sync.WaitGroup
		for name, sub := range stopped {
			wg.Go(func() {
				err := sub.Each(t.Context(), nil)
				if !errors.Is(err, esclient.ErrStopped) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		synctest.Wait()
		for _, sub := range stopped {
			sub.Stop()
		}
		wg.Wait()
		if n := c.Stats().InFlight; n != 0 {
			t.Errorf("%d operations left", n)
		}
		_ = c.Close()
		_ = node.Close()
	})
}

// TestNextKeepsEvents ends the context of a consumer at a bad moment: what was read before is delivered, once.
func TestNextKeepsEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		confirm := make(chan struct{})
		wg.Go(func() {
			s := p.next()
			page := wire.StreamPage{Next: 2, Last: 1, EndOfStream: true}
			for i := range 2 {
				page.Events = append(page.Events, wire.Resolved{HasEvent: true, Event: wire.Record{
					Stream: []byte("s"), Number: int64(i), ID: make([]byte, 16), Type: []byte("counted"), Data: fmt.Append(nil, i),
				}})
			}
			s.reply(s.expect(wire.ReadStreamEventsForward), wire.ReadStreamEventsForwardCompleted, page.Append(nil))
			s.expect(wire.SubscribeToStream) // and given up
			read := s.expect(wire.ReadStreamEventsForward)
			s.expect(wire.UnsubscribeFromStream)
			subscribe := s.expect(wire.SubscribeToStream)
			<-confirm
			s.replyProto(subscribe, wire.SubscriptionConfirmation, &wirepb.SubscriptionConfirmation{LastEventNumber: proto.Int64(1)})
			page.Events = nil
			s.reply(read, wire.ReadStreamEventsForwardCompleted, page.Append(nil))
			s.drain()
		})
		c := dialPeer(t, p)
		sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
		b, err := sub.Next(t.Context())
		if err != nil || len(b.Events) != 2 || b.Live {
			t.Errorf("first: %+v %v", b, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second: %v", err)
		}
		close(confirm)
		if b, err = sub.Next(t.Context()); err != nil || len(b.Events) != 0 || !b.Live || b.Number != 1 {
			t.Errorf("third: %+v %v", b, err)
		}
		_ = c.Close()
		wg.Wait()
	})
}
