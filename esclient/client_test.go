package esclient_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/esclient"
)

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	id := uuid.MustParse("01020304-0506-0708-090a-0b0c0d0e0f10")
	got, err := c.Append(ctx, "ponies", esclient.NoStream,
		esclient.NewEvent{ID: id, Type: "pony.born", Body: map[string]any{"name": "Rarity"}, Metadata: map[string]int{"a": 1}},
		esclient.NewEvent{Type: "pony.binary", Body: []byte{0, 255, '{'}, Metadata: []byte{1, 2}},
		esclient.NewEvent{Type: "pony.raw", Body: json.RawMessage(`{"raw":true}`)},
		esclient.NewEvent{Type: "pony.empty"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if got.First != 0 || got.Last != 3 || got.Position.Commit < 0 {
		t.Errorf("result %+v, want events 0 to 3", got)
	}
	page, err := c.ReadStream(ctx, "ponies", 0, esclient.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Events) != 4 || page.Last != 3 || page.Next != 4 || !page.End {
		t.Fatalf("page %+v", page)
	}
	first := page.Events[0]
	if first.ID != id || first.Type != "pony.born" || first.Stream != "ponies" || !first.JSON ||
		string(first.Data) != `{"name":"Rarity"}` || string(first.Metadata) != `{"a":1}` || first.Created.IsZero() {
		t.Errorf("first event %+v", first)
	}
	second := page.Events[1]
	if second.JSON || !cmp.Equal(second.Data, []byte{0, 255, '{'}) || !cmp.Equal(second.Metadata, []byte{1, 2}) || second.ID == (uuid.UUID{}) {
		t.Errorf("second event %+v", second)
	}
	if third := page.Events[2]; !third.JSON || string(third.Data) != `{"raw":true}` {
		t.Errorf("third event %+v", third)
	}
	last, err := c.ReadEvent(ctx, "ponies", esclient.EndOfStream, esclient.ReadOptions{})
	if err != nil || last.Number != 3 || last.Type != "pony.empty" || len(last.Data) != 0 {
		t.Errorf("last event %+v, %v", last, err)
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	fill(t, c, "s", 3)
	if _, err := c.ReadEvent(ctx, "s", 3, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrEventNotFound) {
		t.Errorf("beyond the end: %v", err)
	}
	_, err := c.ReadEvent(ctx, "none", 0, esclient.ReadOptions{})
	if !errors.Is(err, esclient.ErrStreamNotFound) || err.Error() != `read event "none": stream not found` {
		t.Errorf("no stream: %v", err)
	}
	if _, err := c.ReadStream(ctx, "none", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrStreamNotFound) {
		t.Errorf("no stream: %v", err)
	}
	if _, err := c.ReadStream(ctx, "s", -1, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("forward from the end: %v", err)
	}
	if _, err := c.ReadStream(ctx, "", 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("no name: %v", err)
	}
	if _, err := c.ReadStream(ctx, "s", 0, esclient.ReadOptions{PageSize: 5000}); !errors.Is(err, esclient.ErrInvalidArgument) {
		t.Errorf("page size: %v", err)
	}
}

func TestWrongExpectedVersion(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	ctx := t.Context()
	fill(t, c, "s", 6)
	_, err := c.Append(ctx, "s", 3, numbered(6, 1)...)
	var wrong *esclient.WrongVersionError
	if !errors.Is(err, esclient.ErrWrongExpectedVersion) || !errors.As(err, &wrong) || wrong.Current != 5 || wrong.Expected != 3 {
		t.Errorf("got %v, %+v", err, wrong)
	}
	if got, want := err.Error(), `append "s": wrong expected version: want 3, stream at 5`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, err = c.Append(ctx, "new", 3, numbered(6, 1)...)
	if got, want := err.Error(), `append "new": wrong expected version: want 3, stream has no events`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIterate(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 1234)
	tests := []struct {
		name string
		from int64
		o    esclient.ReadOptions
		want []int64 // first, last
		n    int
	}{
		{"all", 0, esclient.ReadOptions{}, []int64{0, 1233}, 1234},
		{"small pages", 0, esclient.ReadOptions{PageSize: 7}, []int64{0, 1233}, 1234},
		{"from the middle", 1000, esclient.ReadOptions{PageSize: 100}, []int64{1000, 1233}, 234},
		{"limited", 5, esclient.ReadOptions{PageSize: 100, Max: 250}, []int64{5, 254}, 250},
		{"backward", esclient.EndOfStream, esclient.ReadOptions{PageSize: 100, Backward: true}, []int64{1233, 0}, 1234},
		{"backward from", 500, esclient.ReadOptions{PageSize: 100, Backward: true}, []int64{500, 0}, 501},
		{"backward limited", esclient.EndOfStream, esclient.ReadOptions{Backward: true, Max: 2}, []int64{1233, 1232}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, at := 0, tt.want[0]
			for e, err := range c.StreamEvents(t.Context(), "s", tt.from, tt.o) {
				if err != nil {
					t.Fatal(err)
				}
				wantNumber(t, e, at)
				n++
				if at++; tt.o.Backward {
					at -= 2
				}
			}
			if n != tt.n {
				t.Errorf("got %d events, want %d", n, tt.n)
			}
		})
	}
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "a", 30)
	fill(t, c, "b", 30)
	forward := map[string][]int64{}
	var positions []esclient.Position
	for e, err := range c.AllEvents(t.Context(), esclient.Start(), esclient.ReadOptions{PageSize: 7, KeepLinks: true}) {
		if err != nil {
			t.Fatal(err)
		}
		forward[e.Stream] = append(forward[e.Stream], e.Number)
		positions = append(positions, e.Position)
	}
	for i := 1; i < len(positions); i++ {
		if positions[i].Compare(positions[i-1]) <= 0 {
			t.Fatalf("position %v follows %v", positions[i], positions[i-1])
		}
	}
	if len(forward["a"]) != 30 || len(forward["b"]) != 30 {
		t.Errorf("got %d and %d events", len(forward["a"]), len(forward["b"]))
	}
	n := 0
	for e, err := range c.AllEvents(t.Context(), esclient.End(), esclient.ReadOptions{PageSize: 7, Backward: true, KeepLinks: true}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if want := positions[len(positions)-n]; e.Position != want {
			t.Fatalf("backward: got %v, want %v", e.Position, want)
		}
	}
	if n != len(positions) {
		t.Errorf("backward: got %d events, want %d", n, len(positions))
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	if took, err := c.Ping(t.Context()); err != nil || took <= 0 {
		t.Errorf("took %v, %v", took, err)
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	node := startNode(t)
	_, err := esclient.Dial(t.Context(), "tcp://admin:wrong@"+node.Addr().String())
	if !errors.Is(err, esclient.ErrNotAuthenticated) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := esclient.Dial(t.Context(), "tcp://127.0.0.1:1"); !errors.Is(err, esclient.ErrNotConnected) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestCatchUp(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 1300)
	sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	next := int64(0)
	for e, err := range sub.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, next)
		next++
		if next == 1300 || next == 1310 {
			if _, err := c.Append(t.Context(), "s", esclient.Any, numbered(int(next), 10)...); err != nil {
				t.Fatal(err)
			}
		}
		if next == 1320 {
			break
		}
	}
	sub.Stop()
	<-sub.Done()
	if !errors.Is(sub.Err(), esclient.ErrStopped) {
		t.Error(sub.Err())
	}
}

// The tombstone is delivered to who is live; whoever comes after it, or comes back, learns that the stream is deleted.
func TestCatchUpBehindATombstone(t *testing.T) {
	t.Parallel()
	c, node := setup(t)
	fill(t, c, "s", 1)
	sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	var last int64
	for live := false; last != esclient.Tombstone; {
		b, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Live && !live {
			live = true
			if _, err := c.Tombstone(t.Context(), "s", esclient.Any); err != nil {
				t.Fatal(err)
			}
		}
		last = b.Number
	}
	node.DropConnections()
	for err := error(nil); !errors.Is(err, esclient.ErrStreamDeleted); {
		if _, err = sub.Next(t.Context()); err != nil && !errors.Is(err, esclient.ErrStreamDeleted) {
			t.Fatalf("after a reconnect: %v", err)
		}
	}
	again := c.SubscribeStream("s", esclient.AfterNumber(last), esclient.SubscribeOptions{})
	defer again.Stop()
	if _, err := again.Next(t.Context()); !errors.Is(err, esclient.ErrStreamDeleted) {
		t.Errorf("resumed after the tombstone: %v", err)
	}
}
