package eventstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// groupSetup starts a node whose HTTP interface the client knows.
func groupSetup(t *testing.T, opts ...esnode.Option) *esclient.Client {
	t.Helper()
	node, err := esnode.Start(append(opts, esnode.HTTP("127.0.0.1:0"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	client, err := esclient.Dial(t.Context(), node.URL(), esclient.WithHTTP(node.HTTPURL(), nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func consume(t *testing.T, g source.Group) source.Consumer {
	t.Helper()
	c, err := g.Consume(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// deliveries takes n of them.
func deliveries(t *testing.T, c source.Consumer, n int) []source.Delivery {
	t.Helper()
	var all []source.Delivery
	for len(all) < n {
		more, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
	}
	return all
}

func TestGroup(t *testing.T) {
	t.Parallel()
	c := groupSetup(t)
	appendTo(t, c, "s", "0", "1", "2", "3")
	g := eventstore.Group(c, "s", "g", eventstore.CreateGroup(eventstore.DefaultGroupSettings()))
	if got := g.String(); got != "group g of stream s" {
		t.Errorf("named %q", got)
	}
	if head, err := g.Head(t.Context()); err != nil || head != checkpoint.AtNumber(3) {
		t.Errorf("head %v, %v", head, err)
	}
	first := consume(t, g)
	if first.Timeout() != 30*time.Second {
		t.Errorf("timeout %v", first.Timeout())
	}
	got := deliveries(t, first, 4)
	for i, d := range got {
		if d.Number != int64(i) || d.Position != checkpoint.AtNumber(int64(i)) || string(d.Data) != fmt.Sprint(i) || d.Retry != 0 {
			t.Errorf("delivery %d is %+v", i, d)
		}
	}
	first.Ack(got[0].Receipt)
	first.Nak(source.NakPark, "no good", got[1].Receipt)
	first.Nak(source.NakSkip, "not wanted", got[2].Receipt)
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil { // 3 has no answer
		t.Fatal(err)
	}
	second := consume(t, eventstore.Group(c, "s", "g"))
	if second.Timeout() != 30*time.Second { // as the server says
		t.Errorf("timeout %v", second.Timeout())
	}
	again := deliveries(t, second, 1)[0]
	if again.Number != 3 || again.Retry != 1 {
		t.Errorf("delivered again: event %d, retry %d", again.Number, again.Retry)
	}
	if waits, err := g.(source.ManagedGroup).Waits(t.Context()); !waits || err != nil { // for the answer
		t.Errorf("waits %v, %v", waits, err)
	}
	second.Nak(source.NakRetry, "once more", again.Receipt)
	if again = deliveries(t, second, 1)[0]; again.Number != 3 || again.Retry != 2 {
		t.Errorf("delivered again: event %d, retry %d", again.Number, again.Retry)
	}
	second.Ack(again.Receipt)

	managed, ok := g.(source.ManagedGroup)
	if !ok || managed.Parked() != "$persistentsubscription-s::g-parked" {
		t.Fatalf("parks to %v", managed)
	}
	if err := managed.Replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	replayed := deliveries(t, second, 1)[0]
	if replayed.Number != 1 || replayed.Position != checkpoint.AtNumber(1) || replayed.Receipt == got[1].Receipt || replayed.RecordID() != got[1].RecordID() {
		t.Errorf("replayed: %+v", replayed)
	}
	second.Ack(replayed.Receipt)
	second.Ack()
	second.Ack(uuid.New())
	if err := second.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if waits, err := managed.Waits(t.Context()); waits || err != nil {
		t.Errorf("waits %v, %v", waits, err)
	}
	for range 2 { // the second time there is none
		if err := managed.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := managed.Replay(t.Context()); !errors.Is(err, source.ErrRefused) {
		t.Errorf("replay of no group: %v", err)
	}
}

func TestGroupThatDoesNotExist(t *testing.T) {
	t.Parallel()
	c := groupSetup(t, esnode.User("reader", "reader"))
	_, err := eventstore.Group(c, "s", "g").Consume(t.Context(), 1)
	if !errors.Is(err, source.ErrRefused) || !strings.Contains(err.Error(), "CreateGroup") {
		t.Errorf("got %v", err)
	}
	reader := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "reader", Password: "reader"}})
	created := eventstore.CreateGroup(eventstore.DefaultGroupSettings())
	_, err = eventstore.Group(reader, "s", "g", created).Consume(t.Context(), 1)
	if !errors.Is(err, source.ErrRefused) || !errors.Is(err, esclient.ErrAccessDenied) {
		t.Errorf("got %v", err)
	}
	consume(t, eventstore.Group(c, "s", "g", created))
	consume(t, eventstore.Group(reader, "s", "g", created)) // it is there, so it need not be made

	bad := eventstore.DefaultGroupSettings()
	bad.Buffer = bad.ReadBatch
	if _, err = eventstore.Group(c, "s", "h", eventstore.CreateGroup(bad)).Consume(t.Context(), 1); !errors.Is(err, source.ErrRefused) {
		t.Errorf("got %v", err)
	}

	sub := consume(t, eventstore.Group(c, "s", "g"))
	if err := c.DeletePersistent(t.Context(), "s", "g"); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, source.ErrRefused) {
		t.Errorf("after the group was deleted: %v", err)
	}
}

func TestGroupSettings(t *testing.T) {
	t.Parallel()
	c := groupSetup(t)
	ctx := t.Context()
	one := esclient.PersistentSettings{
		ResolveLinks: true, StartFrom: 3, MessageTimeout: 7 * time.Second, MaxRetries: 4, LiveBuffer: 50, ReadBatch: 6, Buffer: 70,
		CheckpointAfter: 8 * time.Second, CheckpointMin: 9, CheckpointMax: 100, MaxConsumers: 11, Strategy: esclient.Pinned, Statistics: true,
	}
	consume(t, eventstore.Group(c, "s", "g", eventstore.CreateGroup(one)))
	first, err := c.GroupInfo(ctx, "s", "g")
	if err != nil {
		t.Fatal(err)
	}
	want := esclient.GroupInfoConfig{
		ResolveLinks: true, StartFrom: 3, MessageTimeout: 7000, MaxRetries: 4, LiveBuffer: 50, ReadBatch: 6, Buffer: 70,
		CheckpointAfter: 8000, CheckpointMin: 9, CheckpointMax: 100, MaxConsumers: 11, Strategy: esclient.Pinned, Statistics: true,
	}
	if first.Config != want {
		t.Errorf("made with %+v, want %+v", first.Config, want)
	}
	two := eventstore.DefaultGroupSettings()
	left := consume(t, eventstore.Group(c, "s", "g", eventstore.CreateGroup(two)))
	if info, err := c.GroupInfo(ctx, "s", "g"); err != nil || info.Config != want || left.Timeout() != 7*time.Second {
		t.Errorf("not left alone: %+v, %v", info.Config, err)
	}
	consume(t, eventstore.Group(c, "s", "g", eventstore.UpdateGroup(two)))
	info, err := c.GroupInfo(ctx, "s", "g")
	if err != nil || info.Config.MessageTimeout != 30_000 || info.Config.Strategy != esclient.RoundRobin {
		t.Errorf("not updated: %+v, %v", info.Config, err)
	}
}

// TestGroupAsWantedIsNotUpdated: an update disturbs all consumers.
func TestGroupAsWantedIsNotUpdated(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start(esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	updates := make(chan struct{}, 10)
	node.Intercept(esnode.UpdatePersistentSubscription, func(esnode.Package) esnode.Fault {
		updates <- struct{}{}
		return esnode.Fault{}
	})
	s := eventstore.DefaultGroupSettings()
	dial := func(opts ...esclient.Option) *esclient.Client {
		c, err := esclient.Dial(t.Context(), node.URL(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial(esclient.WithHTTP(node.HTTPURL(), nil))
	consume(t, eventstore.Group(c, "s", "g", eventstore.UpdateGroup(s)))
	consume(t, eventstore.Group(c, "s", "g", eventstore.UpdateGroup(s)))
	if len(updates) != 0 {
		t.Errorf("%d updates of a group that is as wanted", len(updates))
	}
	g := eventstore.Group(dial(esclient.WithHTTP("http://127.0.0.1:1", nil)), "s", "g", eventstore.UpdateGroup(s))
	for range 2 {
		consume(t, g)
	}
	if len(updates) != 1 {
		t.Errorf("%d updates of a group that cannot be asked, want 1", len(updates))
	}
}
