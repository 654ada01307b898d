package projector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// groupBundle is a node with a stream, and a client.
type groupBundle struct {
	t      *testing.T
	node   *esnode.Node
	client *esclient.Client
}

func groupSetup(t *testing.T) *groupBundle {
	t.Helper()
	node, err := esnode.Start(esnode.HTTP("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	b := &groupBundle{t: t, node: node}
	b.client = b.dial()
	return b
}

func (b *groupBundle) dial() *esclient.Client {
	b.t.Helper()
	client, err := esclient.Dial(b.t.Context(), b.node.URL(), esclient.WithHTTP(b.node.HTTPURL(), nil), esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited}))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = client.Close() })
	return client
}

// append writes n jumps to the stream.
func (b *groupBundle) append(n int) {
	b.t.Helper()
	events := make([]esclient.NewEvent, n)
	for i := range events {
		events[i] = esclient.NewEvent{Type: "pony.jumped", Body: jumped{Name: "Applejack", Height: 1}}
	}
	if _, err := b.client.Append(b.t.Context(), "ponies", esclient.Any, events...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *groupBundle) appendType(eventType, body string) {
	b.t.Helper()
	e := esclient.NewEvent{Type: eventType, Body: []byte(body)}
	if _, err := b.client.Append(b.t.Context(), "ponies", esclient.Any, e); err != nil {
		b.t.Fatal(err)
	}
}

// group of the stream, made if it does not exist.
func (b *groupBundle) group(change ...func(*esclient.PersistentSettings)) source.Group {
	return groupOf(b.client, change...)
}

func groupOf(c *esclient.Client, change ...func(*esclient.PersistentSettings)) source.Group {
	s := eventstore.DefaultGroupSettings()
	for _, c := range change {
		c(&s)
	}
	return eventstore.Group(c, "ponies", "g", eventstore.CreateGroup(s))
}

// parked returns the reasons with which the group has parked events.
func (b *groupBundle) parked() []string {
	b.t.Helper()
	var reasons []string
	page, err := b.client.ReadStream(b.t.Context(), parkedStream, 0, esclient.ReadOptions{KeepLinks: true})
	if err != nil && !errors.Is(err, esclient.ErrStreamNotFound) {
		b.t.Fatal(err)
	}
	for i := range page.Events {
		reasons = append(reasons, string(page.Events[i].Metadata))
	}
	return reasons
}

// waitParked waits until the group has parked so many events, and returns the reasons. It does so beside answering.
func (b *groupBundle) waitParked(n int) []string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	sub := b.client.SubscribeStream(parkedStream, esclient.FromStart(), esclient.SubscribeOptions{KeepLinks: true})
	defer sub.Stop()
	for seen := 0; seen < n; {
		batch, err := sub.Next(ctx)
		if err != nil {
			b.t.Fatalf("parked %v, want %d: %v", b.parked(), n, err)
		}
		seen += len(batch.Events)
	}
	return b.parked()
}

const parkedStream = "$persistentsubscription-ponies::g-parked"

// settled waits until the group has delivered everything up to an event and waits for no answer.
func (b *groupBundle) settled(last int64) {
	b.t.Helper()
	var info esclient.GroupInfo
	for range 1000 {
		var err error
		if info, err = b.client.GroupInfo(b.t.Context(), "ponies", "g"); err != nil {
			b.t.Fatal(err)
		}
		if info.LastKnown >= last && info.InFlight+info.Outstanding+info.RetryBuffered+info.ReadBuffered == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatalf("the group still waits for answers: %+v", info)
}

func fast() []projector.Option {
	return []projector.Option{projector.WithRetryDelays(time.Millisecond, 5*time.Millisecond), projector.WithOnceIdle(300 * time.Millisecond)}
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("ponies/%d", i)
	}
	return all
}

func sorted(keys []string) []string {
	number := func(key string) int {
		var n int
		_, _ = fmt.Sscanf(key, "ponies/%d", &n)
		return n
	}
	slices.SortFunc(keys, func(a, b string) int { return number(a) - number(b) })
	return keys
}

func TestGroupOnce(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(100)
	b.appendType("other", "x")
	rec := &recorder{}
	p := projector.New("p", b.group(), projector.On("pony.jumped", rec.handle))
	for range 2 { // the second time nothing comes
		r := newRunner(t, memory.Open(), p, append(fast(), projector.Once())...)
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := r.Status()[0]; len(rec.keys()) == 100 && st.Handled != 0 && (st.Handled != 100 || st.Ignored != 1 || st.Position != checkpoint.AtNumber(100)) {
			t.Errorf("status %+v", st)
		}
	}
	if diff := gocmp.Diff(numbers(100), rec.keys()); diff != "" {
		t.Error(diff)
	}
	b.settled(100)
}

// Two processes share the events: each is handled once as long as nothing fails, and both handle some.
func TestGroupCompetingConsumers(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 400
	b.append(n)
	var recs [2]recorder
	var runners [2]*projector.Runner
	both := make(chan struct{})
	var joined atomic.Int64
	for i := range recs {
		var first sync.Once
		handle := func(ctx context.Context, e projector.Event[jumped]) error {
			first.Do(func() {
				if joined.Add(1) == 2 {
					close(both)
				}
			})
			select { // nobody goes on alone
			case <-both:
			case <-ctx.Done():
			}
			return recs[i].handle(ctx, e)
		}
		p := projector.New("p", groupOf(b.dial()), projector.On("pony.jumped", handle))
		runners[i] = newRunner(t, memory.Open(), p, append(fast(), projector.WithWorkers(3))...)
		running(t, runners[i])
	}
	b.settled(n - 1)
	if len(recs[0].keys()) == 0 || len(recs[1].keys()) == 0 {
		t.Errorf("handled %d and %d", len(recs[0].keys()), len(recs[1].keys()))
	}
	if diff := gocmp.Diff(numbers(n), sorted(append(recs[0].keys(), recs[1].keys()...))); diff != "" {
		t.Error(diff)
	}
	for _, r := range runners {
		if st := r.Status()[0]; st.State != projector.StateLive || st.Epoch != 0 || st.LagEvents != -1 {
			t.Errorf("status %+v", st)
		}
	}
}

// An event is acked only after its handler has returned: who dies before that loses nothing.
func TestGroupAcksAfterTheHandler(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(3)
	inside, release := make(chan struct{}, 3), make(chan struct{})
	var acks atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionAckEvents, func(esnode.Package) esnode.Fault {
		acks.Add(1)
		return esnode.Fault{}
	})
	rec := &recorder{}
	handle := func(ctx context.Context, e projector.Event[jumped]) error {
		inside <- struct{}{}
		<-release
		return rec.handle(ctx, e)
	}
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", handle)), fast()...)
	stop := running(t, r)
	<-inside
	if n := acks.Load(); n != 0 {
		t.Errorf("%d acks before the handler has returned", n)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(release) // what is in hand is finished and acked, the rest is given back
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	again := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), append(fast(), projector.Once())...)
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(numbers(3), rec.keys()); diff != "" {
		t.Error(diff)
	}
}

// What fails in the end is parked by the group, with the reason, and a replay brings it again, under the same key.
func TestGroupParksAndReplays(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(5)
	b.appendType("pony.jumped", "{")
	b.append(5)
	var healed atomic.Bool
	var calls atomic.Int64
	var mu sync.Mutex
	keys := map[string]int{}
	rec := &recorder{}
	rec.fail = func(key string) error {
		if key == "ponies/3" && !healed.Load() {
			calls.Add(1)
			return errors.New("no such farm")
		}
		return nil
	}
	handle := func(ctx context.Context, e projector.Event[jumped]) error {
		if e.Number == 3 {
			mu.Lock()
			keys[e.IdempotencyKey()]++
			mu.Unlock()
		}
		return rec.handle(ctx, e)
	}
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", handle)), fast()...)
	running(t, r)
	until(t, r, "done with everything", func(s projector.Status) bool { return s.Handled == 9 })
	b.settled(10)
	if calls.Load() < 5 {
		t.Errorf("%d attempts, want 5 at least", calls.Load())
	}
	reasons := strings.Join(b.waitParked(2), "\n")
	if strings.Count(reasons, "Client explicitly NAK") != 2 || !strings.Contains(reasons, "handler error: no such farm") ||
		!strings.Contains(reasons, "decode error") || !strings.Contains(reasons, "projection p, 1 attempts") {
		t.Errorf("parked with %s", reasons)
	}
	healed.Store(true)
	if err := b.client.ReplayParked(t.Context(), "ponies", "g"); err != nil {
		t.Fatal(err)
	}
	until(t, r, "handled after the replay", func(s projector.Status) bool { return s.Handled == 10 })
	if len(keys) != 1 {
		t.Errorf("idempotency keys %v of one event", keys)
	}
}

// A connection that is lost before the acks arrive: everything comes again, and this process need not handle it twice.
func TestGroupReconnects(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 300
	b.append(n)
	var cuts atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionAckEvents, func(esnode.Package) esnode.Fault {
		if c := cuts.Add(1); c <= 5 {
			return esnode.Fault{Cut: true}
		}
		return esnode.Fault{}
	})
	rec := &recorder{}
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), append(fast(), projector.WithWorkers(4))...)
	running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled >= n })
	b.settled(n - 1)
	if diff := gocmp.Diff(numbers(n), sorted(rec.keys())); diff != "" {
		t.Error(diff)
	}
	if cuts.Load() <= 5 {
		t.Errorf("%d acks only", cuts.Load())
	}
}

func TestGroupRefusals(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	log := sourcetest.New()
	on := projector.On("pony.jumped", (&recorder{}).handle)
	tests := []struct {
		name string
		p    *projector.Projection
		s    checkpoint.Store
		want string
	}{
		{"table", projector.New("p", b.group(), newTally("t")), nil, "give it WithDedupe"},
		{"OnTx", projector.New("p", b.group(), projector.OnTx("pony.jumped", note)), nil, "give it WithDedupe"},
		{"source", projector.New("p", log.All(nil), on).With(projector.WithDedupe(time.Hour)), nil, "WithDedupe is for groups"},
		{"start", projector.New("p", b.group(), on).With(projector.StartAtEnd()), nil, "one of the group's settings"},
		{"negative", projector.New("p", b.group(), on).With(projector.WithDedupe(-1)), nil, "WithDedupe: -1ns: must be positive"},
		{"store", projector.New("p", b.group(), on).With(projector.WithDedupe(time.Hour)), newStore(), "does not remember"},
		{"neither", projector.New("p", feed{}, on), nil, "neither a source nor a group"},
	}
	for _, tt := range tests {
		store := tt.s
		if store == nil {
			store = memory.Open()
		}
		_, err := projector.NewRunner(store, []*projector.Projection{tt.p})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	r := newRunner(t, memory.Open(), projector.New("p", eventstore.Group(b.client, "ponies", "none"), on))
	if err := r.Run(t.Context()); !errors.Is(err, source.ErrRefused) || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("got %v", err)
	}
	if err := r.WaitFor(t.Context(), "p", checkpoint.AtNumber(1)); !errors.Is(err, projector.ErrGroup) {
		t.Errorf("WaitFor: %v", err)
	}
	if _, err := r.Execute(t.Context(), "p", projector.NewCommand(projector.CommandRetry, projector.Which{}, "me")); !errors.Is(err, projector.ErrGroup) {
		t.Errorf("Execute: %v", err)
	}
}

// feed is nothing that can be read.
type feed struct{}

func (feed) String() string                                    { return "feed" }
func (feed) Head(context.Context) (checkpoint.Position, error) { return checkpoint.Position{}, nil }
