package esclient_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/codec"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

func TestDeleteAndTombstone(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	fill(t, c, "soft", 3)
	fill(t, c, "hard", 3)
	if _, err := c.Delete(ctx, "soft", 7); !errors.Is(err, esclient.ErrWrongExpectedVersion) {
		t.Errorf("wrong version: %v", err)
	}
	if p, err := c.Delete(ctx, "soft", 2); err != nil || p.Commit <= 0 {
		t.Errorf("soft: %v %v", p, err)
	}
	page, err := c.ReadStream(ctx, "soft", 0, esclient.ReadOptions{})
	if !errors.Is(err, esclient.ErrStreamNotFound) || page.Last != 2 {
		t.Errorf("read after delete: %+v %v", page, err)
	}
	if got, err := c.Append(ctx, "soft", esclient.NoStream, numbered(3, 1)...); err != nil || got.First != 3 {
		t.Errorf("write after delete: %v %v", got, err)
	}
	if _, err := c.Tombstone(ctx, "hard", esclient.Any); err != nil {
		t.Error(err)
	}
	if _, err := c.ReadStream(ctx, "hard", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrStreamDeleted) {
		t.Errorf("read after tombstone: %v", err)
	}
	if _, err := c.Append(ctx, "hard", esclient.Any, numbered(3, 1)...); !errors.Is(err, esclient.ErrStreamDeleted) {
		t.Errorf("write after tombstone: %v", err)
	}
	if _, err := c.Delete(ctx, "x", esclient.StreamExists); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("stream exists: %v", err)
	}
	sub := c.SubscribeStream("hard", esclient.FromStart(), esclient.SubscribeOptions{})
	if _, err := sub.Next(ctx); !errors.Is(err, esclient.ErrStreamDeleted) {
		t.Errorf("subscribe: %v", err)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	tx, err := c.StartTransaction(ctx, "s", esclient.NoStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Write(ctx, numbered(0, 2)...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadStream(ctx, "s", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrStreamNotFound) {
		t.Errorf("visible before commit: %v", err)
	}
	if err := c.ContinueTransaction(tx.ID(), "s").Write(ctx, numbered(2, 1)...); err != nil {
		t.Fatal(err)
	}
	got, err := tx.Commit(ctx)
	if err != nil || got.First != 0 || got.Last != 2 {
		t.Errorf("commit: %+v %v", got, err)
	}
	if again, err := tx.Commit(ctx); err != nil || again.Last != 2 {
		t.Errorf("again: %+v %v", again, err)
	}
	late, err := c.StartTransaction(ctx, "s", 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Commit(ctx); !errors.Is(err, esclient.ErrWrongExpectedVersion) {
		t.Errorf("wrong version: %v", err)
	}
}

func TestCredentialsPerCall(t *testing.T) {
	t.Parallel()
	node := startNode(t, esnode.User("reader", "secret"))
	c := dial(t, node.URL())
	fill(t, c, "s", 1)
	_, err := c.SetStreamMetadata(t.Context(), "s", esclient.Any, esclient.StreamMetadata{ACL: &esclient.ACL{Read: []string{"admin"}}})
	if err != nil {
		t.Fatal(err)
	}
	reader := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "reader", Password: "secret"}})
	if _, err := reader.ReadEvent(t.Context(), "s", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrAccessDenied) {
		t.Errorf("reader: %v", err)
	}
	if _, err := reader.ReadStream(t.Context(), "s", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrAccessDenied) {
		t.Errorf("reader: %v", err)
	}
	nobody := c.With(esclient.Call{Credentials: esclient.Credentials{Login: "nobody", Password: "x"}})
	if _, err := nobody.ReadEvent(t.Context(), "s", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrNotAuthenticated) {
		t.Errorf("nobody: %v", err)
	}
	if sub := nobody.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{}); true {
		if _, err := sub.Next(t.Context()); !errors.Is(err, esclient.ErrNotAuthenticated) {
			t.Errorf("nobody subscribes: %v", err)
		}
	}
	if _, err := c.ReadEvent(t.Context(), "s", 0, esclient.ReadOptions{}); err != nil {
		t.Errorf("admin: %v", err)
	}
}

func TestFilteredReads(t *testing.T) {
	t.Parallel()
	old, _ := setup(t)
	f := &esclient.Filter{StreamPrefixes: []string{"a-", "b-"}}
	if _, err := old.ReadAll(t.Context(), esclient.Start(), esclient.ReadOptions{Filter: f}); !errors.Is(err, esclient.ErrUnsupported) {
		t.Errorf("old server: %v", err)
	}
	if _, err := old.SubscribeAll(esclient.FromStart(), esclient.SubscribeOptions{Filter: f}).Next(t.Context()); !errors.Is(err, esclient.ErrUnsupported) {
		t.Errorf("old server: %v", err)
	}
	c := dial(t, startNode(t, esnode.Version20()).URL())
	for i := range 300 {
		fill(t, c, []string{"a-1", "b-2", "c-3"}[i%3], 1)
	}
	for _, f := range []*esclient.Filter{f, {StreamRegex: "^[ab]-"}, {StreamPrefixes: []string{"a-", "b-"}, Window: 10}} {
		n := 0
		for e, err := range c.AllEvents(t.Context(), esclient.Start(), esclient.ReadOptions{Filter: f, PageSize: 20, KeepLinks: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Stream == "c-3" {
				t.Fatal(e)
			}
			n++
		}
		if n != 200 {
			t.Errorf("%+v: got %d events, want 200", f, n)
		}
		n = 0
		for _, err := range c.AllEvents(t.Context(), esclient.End(), esclient.ReadOptions{Filter: f, PageSize: 20, Backward: true, KeepLinks: true}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 200 {
			t.Errorf("%+v backward: got %d events, want 200", f, n)
		}
	}
	for _, bad := range []*esclient.Filter{{}, {StreamPrefixes: []string{"a"}, TypeRegex: "x"}, {StreamRegex: "x", Window: -1}} {
		if _, err := c.ReadAll(t.Context(), esclient.Start(), esclient.ReadOptions{Filter: bad}); !errors.Is(err, esclient.ErrInvalidArgument) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	sub := c.SubscribeAll(esclient.FromStart(), esclient.SubscribeOptions{Filter: &esclient.Filter{TypePrefixes: []string{"rare"}}, KeepLinks: true})
	defer sub.Stop()
	if n := nextLive(t, sub); n != 0 {
		t.Errorf("%d rare events", n)
	}
	if _, err := c.Append(t.Context(), "a-1", esclient.Any, esclient.NewEvent{Type: "rare.one"}); err != nil {
		t.Fatal(err)
	}
	for e, err := range sub.Events(t.Context()) {
		if err != nil || e.Type != "rare.one" {
			t.Errorf("got %v %v", e, err)
		}
		break
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, esclient.WithCodec(codec.Text()))
	id := uuid.New()
	_, err := c.Append(t.Context(), "s", esclient.Any,
		esclient.NewEvent{ID: id, Type: "text", Body: "plain"},
		esclient.NewEvent{Type: "json", Body: map[string]int{"a": 1}, Codec: codec.JSON()})
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.ReadStream(t.Context(), "s", 0, esclient.ReadOptions{})
	if err != nil || string(page.Events[0].Data) != "plain" || page.Events[0].JSON || page.Events[0].ID != id ||
		string(page.Events[1].Data) != `{"a":1}` || !page.Events[1].JSON {
		t.Errorf("%+v %v", page, err)
	}
	if _, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "bad", Body: make(chan int), Codec: codec.JSON()}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("not encodable: %v", err)
	}
	if _, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("no type: %v", err)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, esclient.WithHeartbeat(time.Second, time.Second))
	ctx := t.Context()
	fill(t, c, "target", 2)
	for _, data := range []string{"1@target", "9@target", "0@none"} {
		if _, err := c.Append(ctx, "links", esclient.Any, esclient.NewEvent{Type: "$>", Body: []byte(data), Metadata: []byte("m")}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, events []esclient.Event) {
		if len(events) != 3 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		good, beyond, none := events[0], events[1], events[2]
		if good.Stream != "target" || good.Number != 1 || good.Link == nil || good.Link.Unresolved || good.Link.Number != 0 ||
			good.RecordNumber() != 0 || good.RecordID() != good.Link.ID || string(good.Data) != "1" {
			t.Errorf("%s: resolved %+v", name, good)
		}
		if beyond.Link == nil || !beyond.Link.Unresolved || beyond.Stream != "target" || beyond.Number != 9 || beyond.Data != nil || string(beyond.Link.Metadata) != "m" {
			t.Errorf("%s: unresolved %+v %+v", name, beyond, beyond.Link)
		}
		if none.Link == nil || !none.Link.Unresolved || none.Stream != "none" {
			t.Errorf("%s: unresolved %+v", name, none)
		}
	}
	page, err := c.ReadStream(ctx, "links", 0, esclient.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check("page", page.Events)
	sub := c.SubscribeStream("links", esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	var events []esclient.Event
	for e, err := range sub.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, e); len(events) == 3 {
			break
		}
	}
	check("subscription", events)
	page, err = c.ReadStream(ctx, "links", 0, esclient.ReadOptions{KeepLinks: true})
	if err != nil || page.Events[0].Type != "$>" || page.Events[0].Link != nil || string(page.Events[0].Data) != "1@target" {
		t.Errorf("kept: %+v %v", page.Events, err)
	}
}

func TestFromEnd(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 10)
	for name, sub := range map[string]*esclient.Subscription{
		"stream": c.SubscribeStream("s", esclient.FromEnd(), esclient.SubscribeOptions{}),
		"all":    c.SubscribeAll(esclient.FromEnd(), esclient.SubscribeOptions{KeepLinks: true}),
		"empty":  c.SubscribeStream("e", esclient.FromEnd(), esclient.SubscribeOptions{}),
	} {
		if n := nextLive(t, sub); n != 0 {
			t.Errorf("%s: %d old events", name, n)
		}
		stream := map[string]string{"stream": "s", "all": "a", "empty": "e"}[name]
		if _, err := c.Append(t.Context(), stream, esclient.Any, esclient.NewEvent{Type: "new"}); err != nil {
			t.Fatal(err)
		}
		for e, err := range sub.Events(t.Context()) {
			if err != nil || e.Type != "new" {
				t.Errorf("%s: got %+v %v", name, e, err)
			}
			break
		}
		sub.Stop()
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 5)
	enough := errors.New("enough")
	n := 0
	err := c.Watch(t.Context(), "s", esclient.AfterNumber(1), func(_ context.Context, e esclient.Event) error {
		wantNumber(t, e, int64(2+n))
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("got %d events, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = c.WatchAll(ctx, esclient.FromStart(), func(context.Context, esclient.Event) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type recorder struct {
	mu  sync.Mutex
	ops map[string]int
	err int
}

func (r *recorder) Operation(name string, took time.Duration, _ int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if took >= 0 {
		r.ops[name]++
	}
	if err != nil {
		r.err++
	}
}

func TestHooksAndStats(t *testing.T) {
	t.Parallel()
	r := &recorder{ops: map[string]int{}}
	c, _ := setup(t, esclient.WithHooks(r))
	fill(t, c, "s", 3)
	_, _ = c.ReadEvent(t.Context(), "s", 9, esclient.ReadOptions{})
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(r.ops, map[string]int{"append": 1, "read event": 1, "ping": 1}); diff != "" || r.err != 1 {
		t.Errorf("%s, %d errors", diff, r.err)
	}
	if s := c.Stats(); s.Operations != 3 || s.InFlight != 0 || s.Connections != 1 || s.BytesSent == 0 || s.BytesReceived == 0 {
		t.Errorf("%+v", s)
	}
}
