package esnode

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// createGroup makes a group that begins with the first event.
func (c *rawClient) createGroup(stream, group string, maxRetries int, strategy string) {
	c.t.Helper()
	f := c.ask(CreatePersistentSubscription, groupMsg(stream, group, maxRetries, strategy), CreatePersistentSubscriptionCompleted)
	if f[1][0].varint != 0 {
		c.t.Fatalf("create %s::%s: %s", stream, group, f[2][0].bytes)
	}
}

func groupMsg(stream, group string, maxRetries int, strategy string) []byte {
	return msg(1, group, 2, stream, 3, 0, 4, 0, 5, 30_000, 6, 0, 7, 500, 8, 20, 9, 500, 10, maxRetries, 11, 1, 12, 2000, 13, 1000, 14, 10, 15, 0, 16, strategy)
}

// pushedID returns the id of the event that was pushed.
func pushedID(t testing.TB, f rawFrame) []byte {
	t.Helper()
	fields, err := parseFields(f.payload)
	if err != nil {
		t.Fatal(err)
	}
	return eventField(t, fields[1][0].bytes, 3)
}

// pushedBody returns the body of the event that was pushed.
func pushedBody(t testing.TB, f rawFrame) string {
	t.Helper()
	fields, err := parseFields(f.payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(eventField(t, fields[1][0].bytes, 7))
}

// pushed returns the body and the retry count of the event that was pushed.
func pushed(t testing.TB, f rawFrame) (body string, retries uint64) {
	t.Helper()
	fields, err := parseFields(f.payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(eventField(t, fields[1][0].bytes, 7)), fields[2][0].varint
}

// join connects to a group and returns the id to acknowledge under.
func (c *rawClient) join(stream, group string, credits int) [16]byte {
	c.t.Helper()
	id := c.send(ConnectToPersistentSubscription, msg(1, group, 2, stream, 3, credits))
	c.want(PersistentSubscriptionConfirmation)
	return id
}

// A group with its settings and its checkpoint survives a restart; what was not acknowledged is delivered again.
func TestGroupSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := Start(Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	c := dialRaw(t, n)
	c.append("s", "0", "1", "2", "3", "4", "5")
	f := c.ask(CreatePersistentSubscription, msg(1, "g", 2, "s", 3, 0, 4, 0, 5, 30_000, 6, 0, 7, 500, 8, 20, 9, 500, 10, 3, 11, 1, 12, 2000, 13, 4, 14, 1, 15, 0, 16, pinned), CreatePersistentSubscriptionCompleted)
	if f[1][0].varint != 0 {
		t.Fatal(f)
	}
	checkpoints := dialRaw(t, n)
	checkpoints.ask(SubscribeToStream, msg(1, "$persistentsubscription-s::g-checkpoint", 2, 0), SubscriptionConfirmation)
	id := c.join("s", "g", 10)
	var ids []byte
	for i := range 6 {
		if f := c.want(PersistentSubscriptionStreamEventAppeared); i < 4 {
			ids = append(ids, msg(2, pushedID(t, f))...)
		}
	}
	c.sendAs(PersistentSubscriptionAckEvents, id, append(msg(1, "s::g"), ids...))
	if body := pushedBody(t, checkpoints.want(StreamEventAppeared)); body != "3" {
		t.Fatalf("the checkpoint is %s", body)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = startNode(t, Dir(dir))
	if g := n.psubs.find("s", "g"); g == nil || g.settings.Strategy != pinned || g.settings.MaxRetries != 3 {
		t.Fatalf("got %+v", g)
	}
	c = dialRaw(t, n)
	c.join("s", "g", 10)
	for _, want := range []string{"4", "5"} {
		if body, _ := pushed(t, c.want(PersistentSubscriptionStreamEventAppeared)); body != want {
			t.Errorf("got %s, want %s", body, want)
		}
	}
}

func TestGroupMaxSubscribers(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	m := msg(1, "g", 2, "s", 3, 0, 4, 0, 5, 30_000, 6, 0, 7, 500, 8, 20, 9, 500, 10, 3, 11, 1, 12, 2000, 13, 4, 14, 1, 15, 1)
	c.ask(CreatePersistentSubscription, m, CreatePersistentSubscriptionCompleted)
	first := c.join("s", "g", 1)
	f := c.ask(ConnectToPersistentSubscription, msg(1, "g", 2, "s", 3, 1), SubscriptionDropped)
	if f[1][0].varint != 4 {
		t.Errorf("got %v, want SubscriberMaxCountReached", f)
	}
	c.sendAs(UnsubscribeFromStream, first, nil)
	c.want(SubscriptionDropped)
	c.join("s", "g", 1)
}

func TestPinnedByCorrelation(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := dialRaw(t, n)
	if f := c.ask(CreatePersistentSubscription, groupMsg("s", "g", 1, pinnedByCorrelation), CreatePersistentSubscriptionCompleted); f[1][0].varint != 2 {
		t.Errorf("a 5.0 server knows no %s: %v", pinnedByCorrelation, f)
	}
	n = startNode(t, Version20())
	c = dialRaw(t, n)
	c.createGroup("s", "g", 1, pinnedByCorrelation)
	consumers := []*rawClient{dialRaw(t, n), dialRaw(t, n)}
	for _, consumer := range consumers {
		consumer.join("s", "g", 100)
	}
	b := msg(1, "s", 2, -2)
	for i := range 40 {
		meta := fmt.Sprintf(`{"$correlationId":"c%d"}`, i%4)
		b = append(b, msg(3, msg(1, rawID(), 2, "T", 3, 1, 4, 0, 5, fmt.Sprintf("c%d", i%4), 6, meta))...)
	}
	c.ask(WriteEvents, append(b, msg(4, 1)...), WriteEventsCompleted)
	owner := map[string]int{}
	for i, consumer := range consumers {
		for range 20 {
			body, _ := pushed(t, consumer.want(PersistentSubscriptionStreamEventAppeared))
			if o, known := owner[body]; known && o != i {
				t.Errorf("%s went to both consumers", body)
			}
			owner[body] = i
		}
	}
}

// In the time of a bubble: what is not acknowledged in time comes again, and is parked in the end.
func TestGroupTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := pipeNode(t)
		defer n.Close()
		defer c.nc.Close()
		c.append("s", "x")
		c.createGroup("s", "g", 1, roundRobin)
		began := time.Now()
		c.join("s", "g", 1)
		for want := range 2 {
			if _, retries := pushed(t, c.wantWithin(PersistentSubscriptionStreamEventAppeared, time.Hour)); retries != uint64(want) {
				t.Errorf("retry %d, want %d", retries, want)
			}
		}
		if d := time.Since(began); d < 30*time.Second || d > 32*time.Second {
			t.Errorf("delivered again after %s", d)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := c.bodiesOf("$persistentsubscription-s::g-parked"); !slices.Equal(got, []string{"0@s"}) {
			t.Errorf("parked: %q", got)
		}
	})
}

// Many events through a group with few credits: each is delivered, in order as long as nothing goes wrong.
func TestGroupManyEvents(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c, writer := dialRaw(t, n), dialRaw(t, n)
	c.createGroup("s", "g", 10, roundRobin)
	const total = 3000
	done := make(chan struct{})
	go func() { // ends when all is written
		defer close(done)
		for i := range total {
			writer.append("s", fmt.Sprint(i))
		}
	}()
	id := c.join("s", "g", 7)
	for i := range total {
		f := c.want(PersistentSubscriptionStreamEventAppeared)
		if body, _ := pushed(t, f); body != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", body, i)
		}
		c.sendAs(PersistentSubscriptionAckEvents, id, msg(1, "s::g", 2, pushedID(t, f)))
	}
	<-done
}

func TestFilteredReadsAndSubscriptions(t *testing.T) {
	t.Parallel()
	n := startNode(t, Version20())
	c := dialRaw(t, n)
	sub := dialRaw(t, n)
	filter := msg(1, 0, 2, 1, 3, "a-", 3, "b-")
	sub.ask(FilteredSubscribeToStream, msg(1, "", 2, 0, 3, filter, 4, 4), SubscriptionConfirmation)
	for i := range 8 {
		c.append([]string{"a-1", "c-1", "b-1", "c-2"}[i%4], fmt.Sprint(i))
	}
	for _, want := range []string{"0", "2", "checkpoint", "4", "6", "checkpoint"} {
		f, err := sub.next()
		if err != nil {
			t.Fatal(err)
		}
		got := "checkpoint"
		if f.cmd == StreamEventAppeared {
			fields, _ := parseFields(f.payload)
			got = string(eventField(t, fields[1][0].bytes, 7))
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	read := func(cmd, reply Command, commit, prepare int, filter []byte) (bodies []string, fields map[int][]field) {
		fields = c.ask(cmd, msg(1, commit, 2, prepare, 3, 10, 4, 100, 5, 0, 6, 1, 7, filter), reply)
		for _, e := range fields[3] {
			bodies = append(bodies, string(eventField(t, e.bytes, 7)))
		}
		return bodies, fields
	}
	got, fields := read(FilteredReadAllEventsForward, FilteredReadAllEventsForwardCompleted, 0, 0, filter)
	if want := "0 2 4 6"; strings.Join(got, " ") != want || fields[6][0].varint != 1 {
		t.Errorf("forward: %q, end %v", got, fields[6])
	}
	got, _ = read(FilteredReadAllEventsBackward, FilteredReadAllEventsBackwardCompleted, -1, -1, msg(1, 0, 2, 0, 3, "^c-.$"))
	if want := "7 5 3 1"; strings.Join(got, " ") != want {
		t.Errorf("backward: %q", got)
	}
	old := startNode(t)
	c = dialRaw(t, old)
	c.send(FilteredReadAllEventsForward, msg(1, 0, 2, 0, 3, 10))
	c.want(BadRequest)
}
