package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	page, err := b.client.ReadStream(b.t.Context(), "$persistentsubscription-ponies::g-parked", 0, esclient.ReadOptions{KeepLinks: true})
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
	for range 1000 {
		if all := b.parked(); len(all) >= n {
			return all
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatalf("parked %v, want %d", b.parked(), n)
	return nil
}

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
	for range 4000 {
		if len(recs[0].keys())+len(recs[1].keys()) >= n {
			break
		}
		time.Sleep(5 * time.Millisecond)
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

func TestGroupOutcomes(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(5)
	var tries [6]atomic.Int64
	handle := func(_ context.Context, e projector.Event[jumped]) error {
		n := tries[e.Number].Add(1)
		switch e.Number {
		case 1:
			return projector.Skip(errors.New("not wanted"))
		case 2:
			return fmt.Errorf("wrapped: %w", projector.Park(errors.New("for a person")))
		case 3:
			if n < 3 {
				return projector.RetryAfter(time.Millisecond, errors.New("soon"))
			}
		case 4:
			if n < 8 { // more than the attempts of the policy
				return projector.Unavailable(errors.New("down"))
			}
		case 5:
			return projector.Stop(errors.New("enough"))
		}
		return nil
	}
	var states stateLog
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", handle)), append(fast(), projector.WithHooks(&states))...)
	done := make(chan error, 1)
	go func() { done <- r.Run(t.Context()) }()
	until(t, r, "done with the others", func(s projector.Status) bool { return s.Handled == 3 && s.Skipped == 1 && len(b.parked()) == 1 })
	b.append(1)
	stopped := asStopped(t, <-done)
	if stopped.Event == nil || stopped.Event.Number != 5 || !strings.Contains(stopped.Error(), "enough") {
		t.Errorf("stopped for %v", stopped)
	}
	if st := r.Status()[0]; st.State != projector.StateStopped || st.Skipped != 1 || st.Handled != 3 {
		t.Errorf("status %+v", st)
	}
	want := []int64{1, 1, 1, 3, 8}
	for i, n := range want {
		if got := tries[i].Load(); got != n {
			t.Errorf("event %d was tried %d times, want %d", i, got, n)
		}
	}
	if parked := b.parked(); len(parked) != 1 || !strings.Contains(parked[0], "for a person") {
		t.Errorf("parked %v", parked)
	}
	if !states.saw(projector.StatePaused) || !states.saw(projector.StateRetrying) {
		t.Errorf("states %v", states.all())
	}
	rec := &recorder{} // it begins with the event at which it has stopped
	again := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), append(fast(), projector.Once())...)
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"ponies/5"}, rec.keys()); diff != "" {
		t.Error(diff)
	}
}

// stateLog records states.
type stateLog struct {
	mu     sync.Mutex
	states []projector.State
}

func (l *stateLog) OnState(_ string, s projector.State, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, s)
}

func (l *stateLog) all() []projector.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.states)
}

func (l *stateLog) saw(s projector.State) bool { return slices.Contains(l.all(), s) }

// An outage of what a handler needs parks nothing and naks nothing, however many events fail in it.
func TestGroupOutageParksNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"unavailable", "error"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			const n = 40
			b.append(n)
			var naks, failures atomic.Int64
			b.node.Intercept(esnode.PersistentSubscriptionNakEvents, func(esnode.Package) esnode.Fault {
				naks.Add(1)
				return esnode.Fault{}
			})
			var up atomic.Bool
			rec := &recorder{fail: func(string) error {
				if up.Load() {
					return nil
				}
				failures.Add(1)
				if kind == "unavailable" {
					return projector.Unavailable(errors.New("down"))
				}
				return errors.New("down")
			}}
			// The message timeout is so short that the group is left and joined again.
			g := b.group(func(s *esclient.PersistentSettings) { s.MessageTimeout, s.MaxRetries = 100*time.Millisecond, 1_000_000 })
			var states stateLog
			r := newRunner(t, memory.Open(), projector.New("p", g, projector.On("pony.jumped", rec.handle)),
				append(fast(), projector.WithWorkers(4), projector.WithHooks(&states))...)
			running(t, r)
			until(t, r, "paused", func(s projector.Status) bool { return s.State == projector.StatePaused && failures.Load() > 50 })
			up.Store(true)
			until(t, r, "live again", func(s projector.Status) bool { return s.State == projector.StateLive && s.Handled >= n })
			b.settled(n - 1)
			if diff := gocmp.Diff(numbers(n), slices.Compact(sorted(rec.keys()))); diff != "" {
				t.Error(diff)
			}
			if parked := b.parked(); naks.Load() != 0 || len(parked) != 0 {
				t.Errorf("%d naks, parked %v", naks.Load(), parked)
			}
		})
	}
}

// A few bad events in a row are not an outage for ever: as soon as another one is handled, they are parked.
func TestGroupSeveralBadEventsAreParked(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(8)
	rec := &recorder{fail: func(key string) error {
		if key < "ponies/6" {
			return errors.New("bad")
		}
		return nil
	}}
	r := newRunner(t, memory.Open(), projector.New("p", b.group(), projector.On("pony.jumped", rec.handle)), fast()...)
	running(t, r)
	b.waitParked(6)
	b.settled(7)
	if parked := b.parked(); len(parked) != 6 {
		t.Errorf("parked %v", parked)
	}
	if diff := gocmp.Diff([]string{"ponies/6", "ponies/7"}, sorted(rec.keys())); diff != "" {
		t.Error(diff)
	}
}

// A lonely event that fails is tried on, until another one shows that it is not an outage, or nothing else will come.
func TestGroupLonelyFailure(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(1)
	var calls atomic.Int64
	rec := &recorder{fail: func(key string) error {
		if key == "ponies/0" {
			calls.Add(1)
			return errors.New("bad")
		}
		return nil
	}}
	p := projector.New("p", b.group(), projector.On("pony.jumped", rec.handle))
	r := newRunner(t, memory.Open(), p, fast()...)
	stop := running(t, r)
	until(t, r, "tried on", func(s projector.Status) bool { return s.State == projector.StateRetrying && calls.Load() > 8 })
	if parked := b.parked(); len(parked) != 0 {
		t.Errorf("parked %v", parked)
	}
	b.append(1)
	until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive && s.Handled == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.waitParked(1)
	rec.fail = func(string) error { return errors.New("bad") }
	b.append(1)
	if err := newRunner(t, memory.Open(), p, append(fast(), projector.Once())...).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.waitParked(2)
}

func TestGroupUnhandledTypes(t *testing.T) {
	t.Parallel()
	for _, u := range []projector.Unhandled{projector.UnhandledIgnore, projector.UnhandledWarn, projector.UnhandledPark, projector.UnhandledStop} {
		t.Run(u.String(), func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			b.appendType("other", "x")
			var said strings.Builder
			p := projector.New("p", b.group(), projector.On("pony.jumped", (&recorder{}).handle))
			r := newRunner(t, memory.Open(), p, append(fast(), projector.Once(), projector.WithUnhandled(u), projector.WithLogger(slog.New(slog.NewTextHandler(&said, nil))))...)
			err := r.Run(t.Context())
			if stopped := errors.Is(err, projector.ErrUnhandledType); stopped != (u == projector.UnhandledStop) {
				t.Errorf("got %v", err)
			}
			if u == projector.UnhandledPark {
				b.waitParked(1)
			} else if all := b.parked(); len(all) != 0 {
				t.Errorf("parked %v", all)
			}
			if warned := strings.Contains(said.String(), "event passed over"); warned != (u == projector.UnhandledWarn) {
				t.Errorf("said %s", said.String())
			}
			if st := r.Status()[0]; u <= projector.UnhandledWarn && (st.Ignored != 1 || st.Handled != 0) {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// Events that wait longer than the message timeout are delivered again, and handled once here all the same.
func TestGroupSlowHandlers(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(8)
	var again atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionStreamEventAppeared, func(esnode.Package) esnode.Fault {
		again.Add(1)
		return esnode.Fault{}
	})
	rec := &recorder{}
	first := make(chan struct{})
	handle := func(ctx context.Context, e projector.Event[jumped]) error {
		if e.Number == 0 {
			<-first
		}
		return rec.handle(ctx, e)
	}
	g := b.group(func(s *esclient.PersistentSettings) { s.MessageTimeout, s.MaxRetries = 50*time.Millisecond, 100 })
	r := newRunner(t, memory.Open(), projector.New("p", g, projector.On("pony.jumped", handle)), fast()...)
	running(t, r)
	until(t, r, "delivered again", func(projector.Status) bool { return again.Load() > 12 })
	close(first)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == 8 })
	b.settled(7)
	if diff := gocmp.Diff(numbers(8), rec.keys()); diff != "" {
		t.Error(diff)
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

// Rows count each event once, although acks are lost again and again, in the middle of a batch too.
func TestGroupDedupe(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 500
	b.append(n)
	var cuts atomic.Int64
	b.node.Intercept(esnode.PersistentSubscriptionAckEvents, func(esnode.Package) esnode.Fault {
		if c := cuts.Add(1); c%2 == 1 && c < 12 {
			return esnode.Fault{Cut: true}
		}
		return esnode.Fault{}
	})
	store, tab := memory.Open(), newTally("jumps")
	rec := &recorder{}
	p := projector.New("p", b.group(), tab, projector.On("pony.jumped", rec.handle)).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, append(fast(), projector.WithInFlight(20))...)
	stop := running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == n })
	b.settled(n - 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
	if st := stored(t, store); st.Handled != n || st.Position != checkpoint.AtNumber(n-1) || st.Held {
		t.Errorf("stored %+v", st)
	}
	if kept, err := store.Remembered(t.Context(), "p"); err != nil || kept != n {
		t.Errorf("%d ids remembered, %v", kept, err)
	}
	if diff := gocmp.Diff(numbers(n), slices.Compact(sorted(rec.keys()))); diff != "" {
		t.Error(diff)
	}
}

// A process that dies after the commit and before the ack: the next one knows.
func TestGroupDedupeAfterDeath(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	const n = 60
	b.append(n)
	store, tab := memory.Open(), newTally("jumps")
	remove := b.node.Intercept(esnode.PersistentSubscriptionAckEvents, esnode.Always(esnode.Fault{Discard: true}))
	for range 3 {
		client := b.dial()
		p := projector.New("p", groupOf(client), tab).With(projector.WithDedupe(time.Hour))
		r := newRunner(t, store, p, append(fast(), projector.WithInFlight(20), projector.Once())...)
		ctx, die := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		until(t, r, "committed", func(s projector.Status) bool { return s.Position != checkpoint.Position{} })
		_ = client.Close() // as a killed process leaves it
		die()
		<-done
	}
	remove()
	p := projector.New("p", b.group(), tab).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, fast()...)
	running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return stored(t, store).Handled == n })
	b.settled(n - 1) // however often its connection is lost on a busy machine
	if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
	if st := stored(t, store); st.Handled != n {
		t.Errorf("stored %+v", st)
	}
}

// With dedupe a bad event is parked by the group too, and what was in its batch is not held up.
func TestGroupDedupeParks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fold", "refused", "effect"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := groupSetup(t)
			const n = 50
			b.append(n)
			store, tab, rec := memory.Open(), newTally("jumps"), &recorder{}
			var healed atomic.Bool
			bad := func(number int64) error {
				if (number == 7 || number == 31) && !healed.Load() {
					return errors.New("bad jump")
				}
				return nil
			}
			parts := []projector.Part{tab}
			want := int64(n - 2)
			switch kind {
			case "fold":
				tab.bad = func(e *source.Event) error { return bad(e.Number) }
			case "refused":
				tab.max = 48 // the 49th and what comes after
			case "effect":
				parts = append(parts, projector.On("pony.jumped", func(ctx context.Context, e projector.Event[jumped]) error {
					if err := bad(e.Number); err != nil {
						return err
					}
					return rec.handle(ctx, e)
				}))
			}
			p := projector.New("p", b.group(), parts...).With(projector.WithDedupe(time.Hour))
			r := newRunner(t, store, p, fast()...)
			stop := running(t, r)
			until(t, r, "done", func(s projector.Status) bool { return s.Handled == want && len(b.parked()) == 2 })
			b.settled(n - 1)
			if diff := gocmp.Diff(map[string]int64{"ponies": want}, counts(t, store, tab)); diff != "" {
				t.Error(diff)
			}
			if kind == "effect" {
				if got := sorted(rec.keys()); len(got) != int(want) {
					t.Errorf("%d calls for %d events: %v", len(got), want, got)
				}
			}
			if kind == "refused" {
				return
			}
			healed.Store(true)
			if err := b.client.ReplayParked(t.Context(), "ponies", "g"); err != nil {
				t.Fatal(err)
			}
			until(t, r, "replayed", func(s projector.Status) bool { return s.Handled == n })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(map[string]int64{"ponies": n}, counts(t, store, tab)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// With dedupe one process works and the others stand by, without taking events from the group.
func TestGroupDedupeHasOneOwner(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(20)
	store, tab := memory.Open(), newTally("jumps")
	var runners []*projector.Runner
	var stops []func() error
	for range 2 {
		p := projector.New("p", groupOf(b.dial()), tab).With(projector.WithDedupe(time.Hour))
		r := newRunner(t, store, p, append(fast(), projector.WithLeaseTTL(time.Second))...)
		runners, stops = append(runners, r), append(stops, running(t, r))
		until(t, r, "begun", func(s projector.Status) bool {
			return s.State == projector.StateLive || s.State == projector.StateStandby
		})
	}
	until(t, runners[1], "standing by", func(s projector.Status) bool { return s.State == projector.StateStandby })
	info, err := b.client.GroupInfo(t.Context(), "ponies", "g")
	if err != nil || len(info.Consumers) != 1 {
		t.Errorf("%d consumers, %v", len(info.Consumers), err)
	}
	if err := stops[0](); err != nil {
		t.Fatal(err)
	}
	b.append(10)
	until(t, runners[1], "taken over", func(s projector.Status) bool { return s.State == projector.StateLive && s.Epoch == 2 })
	until(t, runners[1], "done", func(s projector.Status) bool { return s.Position == checkpoint.AtNumber(29) })
	if diff := gocmp.Diff(map[string]int64{"ponies": 30}, counts(t, store, tab)); diff != "" {
		t.Error(diff)
	}
}

// The policy skip counts in the database with dedupe, and commands for parked events are refused by the owner.
func TestGroupDedupeSkipsAndRefuses(t *testing.T) {
	t.Parallel()
	b := groupSetup(t)
	b.append(10)
	store, tab := memory.Open(), newTally("jumps")
	tab.bad = func(e *source.Event) error {
		if e.Number == 4 {
			return errors.New("bad jump")
		}
		return nil
	}
	p := projector.New("p", b.group(), tab).With(projector.WithDedupe(time.Hour))
	r := newRunner(t, store, p, append(fast(), then(projector.ActionSkip))...)
	running(t, r)
	until(t, r, "done", func(s projector.Status) bool { return s.Handled == 9 && s.Skipped == 1 })
	if st := stored(t, store); st.Skipped != 1 || st.Handled != 9 {
		t.Errorf("stored %+v", st)
	}
	number, err := store.Send(t.Context(), "p", projector.NewCommand(projector.CommandRetry, projector.Which{}, "me"))
	if err != nil {
		t.Fatal(err)
	}
	var c checkpoint.Command
	for c.Done.IsZero() {
		if c, err = store.Command(t.Context(), number); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if !c.Refused || !strings.Contains(c.Answer, "replay it there") {
		t.Errorf("answered %+v", c)
	}
	if got := slices.Collect(maps.Values(counts(t, store, tab))); len(got) != 1 || got[0] != 9 {
		t.Errorf("rows %v", got)
	}
}
