package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// herd is a projection of one stream of an event store, of which something happens to the log.
type herd struct {
	t      *testing.T
	node   *node
	client *esclient.Client
	d      database
	store  checkpoint.Store

	written []esclient.NewEvent // last
}

const herdStream = "herd"

func newHerd(t *testing.T) *herd {
	t.Helper()
	n := startNode(t)
	d := newDatabase(t, kindSQLite)
	return &herd{t: t, node: n, client: dial(t, n), d: d, store: d.store(t)}
}

// jump appends so many jumps of one pony.
func (h *herd) jump(n int) {
	h.t.Helper()
	events := make([]esclient.NewEvent, n)
	for i := range events {
		events[i] = esclient.NewEvent{ID: uuid.New(), Type: "pony.jumped", Body: json.RawMessage(`{"name":"Applejack","height":1}`)}
	}
	h.write(events)
}

func (h *herd) write(events []esclient.NewEvent) {
	h.t.Helper()
	if _, err := h.client.Append(h.t.Context(), herdStream, esclient.Any, events...); err != nil {
		h.t.Fatal(err)
	}
	h.written = events
}

// elsewhere puts a new, empty server at the address of the old one.
func (h *herd) elsewhere() {
	h.t.Helper()
	if err := h.node.replace(esnode.Listen(h.node.current().Addr().String())); err != nil {
		h.t.Fatal(err)
	}
}

func (h *herd) runner(src source.Source, opts ...projector.Option) *projector.Runner {
	h.t.Helper()
	p := projector.New("ponies", src, table(), h.d.audit(nil, nil)).With(byStream())
	r, err := projector.NewRunner(h.store, []*projector.Projection{p}, opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *herd) source() source.Source { return eventstore.Stream(h.client, herdStream) }

// TestLogChanges has something happen to the log while the projection does not run.
func TestLogChanges(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cut := func(t *testing.T, h *herd) {
		t.Helper()
		_, err := h.client.SetStreamMetadata(t.Context(), herdStream, esclient.Any, esclient.StreamMetadata{MaxCount: 5})
		must(t, err)
		h.jump(20)
	}
	for name, tc := range map[string]struct {
		change        func(t *testing.T, h *herd)
		opts          []projector.Option
		handled, gaps int64    // in the end
		err           error    // nil = it goes on
		says          []string // in the error
	}{
		"truncated ahead of the position": {change: cut, handled: 15, gaps: 15},
		"truncated ahead of the position, gaps stop": {
			change: cut, opts: []projector.Option{projector.WithGaps(projector.UnhandledStop)}, handled: 10,
			err: projector.ErrGap, says: []string{"15 of them"},
		},
		"deleted and made again": {change: func(t *testing.T, h *herd) {
			_, err := h.client.Delete(t.Context(), herdStream, esclient.Any)
			must(t, err)
			h.jump(5)
		}, handled: 15},
		"deleted for good": {change: func(t *testing.T, h *herd) {
			_, err := h.client.Tombstone(t.Context(), herdStream, esclient.Any)
			must(t, err)
		}, handled: 10, err: source.ErrStreamDeleted, says: []string{herdStream}},
		"another server, longer":  {change: func(_ *testing.T, h *herd) { h.elsewhere(); h.jump(30) }, handled: 10, err: projector.ErrOtherLog, says: []string{"{last}", "{there}"}},
		"another server, shorter": {change: func(_ *testing.T, h *herd) { h.elsewhere(); h.jump(3) }, handled: 10, err: projector.ErrOtherLog, says: []string{"{last}", "the log ends earlier"}},
		"another server, empty":   {change: func(_ *testing.T, h *herd) { h.elsewhere() }, handled: 10, err: projector.ErrOtherLog, says: []string{"{last}", "the log ends earlier"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHerd(t)
			h.jump(10)
			must(t, h.runner(h.source(), projector.Once()).Run(t.Context()))
			before := stored(t, h.store)
			tc.change(t, h)
			r := h.runner(h.source(), append(tc.opts, projector.Once())...)
			err := r.Run(t.Context())
			after, status := stored(t, h.store), r.Status()[0]
			t.Logf("%s: %d events handled, %d missing numbers counted, error %v", name, after.Handled, status.Gaps, err)
			if !errors.Is(err, tc.err) || after.Handled != tc.handled || status.Gaps != tc.gaps && tc.gaps > 0 {
				t.Errorf("got %v, %d gaps, want %v, %d gaps; stored %+v", err, status.Gaps, tc.err, tc.gaps, after)
			}
			if tc.err == nil {
				return
			}
			for _, want := range tc.says {
				want = strings.ReplaceAll(want, "{last}", before.LastEvent.ID.String())
				if want == "{there}" {
					e, err := h.client.ReadEvent(t.Context(), herdStream, 9, esclient.ReadOptions{})
					must(t, err)
					want = e.ID.String()
				}
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in %v", want, err)
				}
			}
			h.untouched(before)
		})
	}
}

// untouched checks that nothing was done after the first ten jumps.
func (h *herd) untouched(before checkpoint.Status) {
	h.t.Helper()
	after := stored(h.t, h.store)
	if after.Position != before.Position || after.LastEvent != before.LastEvent || after.Held {
		h.t.Errorf("overwritten: %+v", after)
	}
	if diff := cmp.Diff(map[string][]int64{"Applejack": {10, 1, 9}}, rows(h.t, h.store)); diff != "" {
		h.t.Error(diff)
	}
}

// TestLogComesBack has a server take the address that has the same log, but not at once.
func TestLogComesBack(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	h := newHerd(t)
	h.jump(10)
	r := h.runner(h.source())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }() // ends with ctx
	handled(t, h.store, 10)
	connections := h.client.Stats().Connections
	h.elsewhere()
	for h.client.Stats().Connections == connections {
		if err := wait(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	h.write(h.written)
	h.jump(5)
	handled(t, h.store, 15)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string][]int64{"Applejack": {15, 1, 14}}, rows(t, h.store)); diff != "" {
		t.Error(diff)
	}
}

// TestLogIsReplacedUnderneath has another server take the address while the projection is live.
func TestLogIsReplacedUnderneath(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	sources := map[string]func(*herd) source.Source{
		"stream":  (*herd).source,
		"all":     func(h *herd) source.Source { return eventstore.All(h.client, eventstore.Filter{}) },
		"streams": func(h *herd) source.Source { return eventstore.Streams(h.client, herdStream, "nothing") },
	}
	for _, jumps := range []int{3, 30} {
		for name, src := range sources {
			t.Run(fmt.Sprintf("%s, by a log of %d events", name, jumps), func(t *testing.T) {
				t.Parallel()
				h := newHerd(t)
				h.jump(10)
				r := h.runner(src(h))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx) }() // ends with the projection
				handled(t, h.store, 10)
				for r.Status()[0].State != projector.StateLive {
					if err := wait(ctx, time.Millisecond); err != nil {
						t.Fatal(err)
					}
				}
				before := stored(t, h.store)
				h.elsewhere()
				h.jump(jumps)
				err := <-ended
				t.Log(err)
				if !errors.Is(err, projector.ErrOtherLog) || !strings.Contains(err.Error(), before.LastEvent.ID.String()) {
					t.Errorf("got %v", err)
				}
				h.untouched(before)
			})
		}
	}
}

// handled waits until so many events are.
func handled(t *testing.T, s checkpoint.Store, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		all, err := s.List(ctx)
		if err == nil && len(all) > 0 && all[0].Handled >= n {
			return
		}
		if wait(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("%d events were never handled: %+v, %v", n, all, err)
		}
	}
}
