package esclient_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

// counted yields numbered events; n < 0 is without end.
func counted(first, n int) func(yield func(esclient.NewEvent) bool) {
	return func(yield func(esclient.NewEvent) bool) {
		for i := first; n < 0 || i < first+n; i++ {
			if !yield(esclient.NewEvent{Type: "counted", Body: i}) {
				return
			}
		}
	}
}

func TestAppendFrom(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	for _, o := range []esclient.AppendFromOptions{{}, {Batch: 1}, {Batch: 7, InFlight: 5}, {BatchBytes: 100}, {InFlight: 20, BatchBytes: 1}} {
		stream := fmt.Sprintf("s-%+v", o)
		got, err := c.AppendFrom(t.Context(), stream, esclient.NoStream, counted(0, 1000), o)
		if err != nil || got.First != 0 || got.Last != 999 {
			t.Errorf("%+v: %+v %v", o, got, err)
		}
		got, err = c.AppendFrom(t.Context(), stream, esclient.Any, counted(1000, 10), o)
		if err != nil || got.First != 1000 || got.Last != 1009 {
			t.Errorf("%+v: %+v %v", o, got, err)
		}
		next := int64(0)
		for e, err := range c.StreamEvents(t.Context(), stream, 0, esclient.ReadOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			wantNumber(t, e, next)
			next++
		}
		if next != 1010 {
			t.Errorf("%+v: %d events", o, next)
		}
	}
	got, err := c.AppendFrom(t.Context(), "none", esclient.NoStream, counted(0, 0), esclient.AppendFromOptions{})
	if err != nil || got.Last != -1 {
		t.Errorf("nothing: %+v %v", got, err)
	}
}

// TestAppendFromTicker writes an event a minute: each must be there at once, not when a batch is full.
func TestAppendFromTicker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, node, network := pipeSetup(t, nil)
		other, err := esclient.Dial(t.Context(), node.URL(), esclient.WithDialer(network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		written := 0
		got, err := c.AppendFrom(ctx, "s", esclient.Any, func(yield func(esclient.NewEvent) bool) {
			for yield(esclient.NewEvent{Type: "tick", Body: written}) {
				written++
				time.Sleep(time.Minute)
				last, err := other.ReadEvent(t.Context(), "s", esclient.EndOfStream, esclient.ReadOptions{})
				if err != nil || last.Number != int64(written-1) {
					t.Errorf("after %d ticks: %d %v", written, last.Number, err)
				}
				if written == 5 {
					cancel()
				}
			}
		}, esclient.AppendFromOptions{})
		if !errors.Is(err, context.Canceled) || got.Last < 4 {
			t.Errorf("got %+v %v", got, err)
		}
		_ = other.Close()
		_ = c.Close()
		_ = node.Close()
	})
}

func TestAppendFromErrors(t *testing.T) {
	t.Parallel()
	c, _ := setup(t)
	fill(t, c, "s", 5)
	if _, err := c.AppendFrom(t.Context(), "s", esclient.NoStream, counted(0, 10), esclient.AppendFromOptions{}); !errors.Is(err, esclient.ErrWrongExpectedVersion) {
		t.Errorf("wrong version: %v", err)
	}
	got, err := c.AppendFrom(t.Context(), "t", esclient.NoStream, func(yield func(esclient.NewEvent) bool) {
		_ = yield(esclient.NewEvent{Type: "a"}) && yield(esclient.NewEvent{Type: "b"}) && yield(esclient.NewEvent{})
	}, esclient.AppendFromOptions{})
	if !errors.Is(err, esclient.ErrInvalidArgument) || err.Error() != `append "t": invalid argument: event 2 of the sequence: no event type` {
		t.Errorf("no type: %v", err)
	}
	if page, err := c.ReadStream(t.Context(), "t", 0, esclient.ReadOptions{}); err != nil || got.Last != page.Last {
		t.Errorf("result %+v, the stream has %d", got, page.Last)
	}
	if _, err := c.AppendFrom(t.Context(), "new", esclient.StreamExists, counted(0, 1), esclient.AppendFromOptions{}); !errors.Is(err, esclient.ErrStreamNotFound) {
		t.Errorf("stream exists: %v", err)
	}
	_ = c.Close()
	if _, err := c.AppendFrom(t.Context(), "s", 4, counted(0, -1), esclient.AppendFromOptions{}); !errors.Is(err, esclient.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestAppendFromCommitTimeouts lets the server time out in the middle of a pipeline.
func TestAppendFromCommitTimeouts(t *testing.T) {
	t.Parallel()
	c, node := setup(t)
	n := 0
	node.Intercept(esnode.WriteEventsCompleted, func(esnode.Package) esnode.Fault {
		if n++; n%5 == 2 {
			// CommitTimeout, though it was written: the next try finds it.
			return esnode.Fault{Answer: &esnode.Package{Command: esnode.WriteEventsCompleted, Payload: []byte{0x08, 0x02, 0x18, 0, 0x20, 0}}}
		}
		return esnode.Fault{}
	})
	got, err := c.AppendFrom(t.Context(), "s", esclient.NoStream, counted(0, 500), esclient.AppendFromOptions{Batch: 50, InFlight: 3})
	if err != nil || got.Last != 499 {
		t.Fatalf("%+v %v", got, err)
	}
	next := int64(0)
	for e, err := range c.StreamEvents(t.Context(), "s", 0, esclient.ReadOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		wantNumber(t, e, next)
		next++
	}
	if next != 500 {
		t.Errorf("%d events", next)
	}
}
