package esclient_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

func groupSetup(t *testing.T, change func(*esclient.PersistentSettings)) *esclient.Client {
	t.Helper()
	node := startNode(t, esnode.HTTP("127.0.0.1:0"))
	c := dial(t, node.URL(), esclient.WithHTTP(node.HTTPURL(), nil))
	fill(t, c, "s", 20)
	s := esclient.DefaultPersistentSettings()
	s.StartFrom = 0
	if change != nil {
		change(&s)
	}
	if err := c.CreatePersistent(t.Context(), "s", "g", s); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPersistentManage(t *testing.T) {
	t.Parallel()
	c := groupSetup(t, nil)
	ctx := t.Context()
	s := esclient.DefaultPersistentSettings()
	if err := c.CreatePersistent(ctx, "s", "g", s); !errors.Is(err, esclient.ErrAlreadyExists) {
		t.Errorf("create again: %v", err)
	}
	s.MaxRetries = 3
	if err := c.UpdatePersistent(ctx, "s", "g", s); err != nil {
		t.Error(err)
	}
	if err := c.UpdatePersistent(ctx, "s", "none", s); !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("update: %v", err)
	}
	info, err := c.GroupInfo(ctx, "s", "g")
	if err != nil || info.Group != "g" || info.Stream != "s" || info.Config.MaxRetries != 3 || info.Config.Strategy != esclient.RoundRobin {
		t.Errorf("info: %+v %v", info, err)
	}
	if _, err := c.GroupInfo(ctx, "s", "none"); !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("info: %v", err)
	}
	anonymous := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "x", Password: "y"}})
	if err := anonymous.DeletePersistent(ctx, "s", "g"); !errors.Is(err, esclient.ErrNotAuthenticated) {
		t.Errorf("delete: %v", err)
	}
	sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	if err := sub.Confirmed(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.DeletePersistent(ctx, "s", "g"); err != nil {
		t.Error(err)
	}
	for err == nil {
		_, err = sub.Next(ctx)
	}
	if !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("consumer of a deleted group: %v", err)
	}
	if err := c.DeletePersistent(ctx, "s", "g"); !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
	if err := c.SubscribePersistent("s", "g", esclient.PersistentOptions{}).Confirmed(ctx); !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("connect: %v", err)
	}
	s.Buffer = s.ReadBatch
	if err := c.CreatePersistent(ctx, "s", "g", s); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("buffers: %v", err)
	}
}

// TestPersistentAutoAck leaves the loop in the middle: what was handled does not come again, the rest does.
func TestPersistentAutoAck(t *testing.T) {
	t.Parallel()
	c := groupSetup(t, nil)
	sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	n := 0
	for e, err := range sub.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, int64(n))
		if n++; n == 8 {
			break // number 7 is not acked
		}
	}
	sub.Stop()
	again := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	defer again.Stop()
	seen := map[int64]bool{}
	for e, err := range again.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Number < 7 {
			t.Errorf("event %d was acked", e.Number)
		}
		if seen[e.Number] = true; len(seen) == 13 {
			break
		}
	}
}

func TestPersistentNak(t *testing.T) {
	t.Parallel()
	c := groupSetup(t, func(s *esclient.PersistentSettings) { s.MaxRetries = 2 })
	ctx := t.Context()
	sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{ManualAck: true})
	defer sub.Stop()
	deliveries := map[int64]int{}
	done := map[int64]bool{}
	for e, err := range sub.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.RetryCount != deliveries[e.Number] {
			t.Errorf("event %d: retry count %d, want %d", e.Number, e.RetryCount, deliveries[e.Number])
		}
		deliveries[e.Number]++
		switch {
		case e.Number == 1 && deliveries[1] == 1:
			sub.Nak(esclient.NakRetry, "again", e)
			continue
		case e.Number == 2:
			sub.Nak(esclient.NakPark, "bad", e)
		case e.Number == 3:
			sub.Nak(esclient.NakSkip, "not wanted", e)
		case e.Number == 5:
			sub.Nak(esclient.NakStop, "leaving", e) // as skipped
		case e.Number == 6 && deliveries[6] == 1:
			sub.Nak(esclient.NakUnknown, "as you like", e) // again
			continue
		case e.Number == 4:
			sub.Nak(esclient.NakRetry, "for ever", e) // three deliveries, then it is parked
			if deliveries[4] < 3 {
				continue
			}
		default:
			sub.Ack(e)
		}
		if done[e.Number] = true; len(done) == 20 {
			break
		}
	}
	for number, n := range deliveries {
		if want := map[int64]int{1: 2, 4: 3, 6: 2}[number]; n != max(want, 1) {
			t.Errorf("event %d was delivered %d times, want %d", number, n, max(want, 1))
		}
	}
	if err := sub.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.ReplayParked(ctx, "s", "g"); err != nil {
		t.Fatal(err)
	}
	parked := map[int64]bool{}
	for e, err := range sub.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		sub.Ack(e)
		if parked[e.Number] = true; len(parked) == 2 {
			break
		}
	}
	if !parked[2] || !parked[4] {
		t.Errorf("replayed %v, want 2 and 4", parked)
	}
	if err := c.ReplayParked(ctx, "s", "none"); !errors.Is(err, esclient.ErrNotFound) {
		t.Errorf("replay: %v", err)
	}
}

// TestPersistentReconnect cuts the connection while events are not acked: they come again.
func TestPersistentReconnect(t *testing.T) {
	t.Parallel()
	node := startNode(t)
	net := newNetwork()
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext))
	events := 3000
	fill(t, c, "s", events)
	s := esclient.DefaultPersistentSettings()
	s.StartFrom, s.MaxRetries = 0, 1000
	if err := c.CreatePersistent(t.Context(), "s", "g", s); err != nil {
		t.Fatal(err)
	}
	net.budget = randomBudget(30_000)
	net.cut()
	sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{Buffer: 20})
	defer sub.Stop()
	seen := map[int64]int{}
	for e, err := range sub.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[e.Number]++; len(seen) == events {
			break
		}
	}
	if net.cuts.Load() < 3 {
		t.Errorf("%d cuts only", net.cuts.Load())
	}
}

func TestPersistentMaxConsumers(t *testing.T) {
	t.Parallel()
	c := groupSetup(t, func(s *esclient.PersistentSettings) { s.MaxConsumers = 1 })
	first := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	defer first.Stop()
	if err := first.Confirmed(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
	if _, err := second.Next(t.Context()); !errors.Is(err, esclient.ErrMaxConsumers) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := first.Next(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
