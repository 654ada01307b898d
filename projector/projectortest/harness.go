package projectortest

import (
	"context"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// waitBound ends a test whose projection neither gets on nor stops.
const waitBound = 30 * time.Second

// Harness is a projection that runs live. Its methods are for the goroutine of the test.
type Harness struct {
	Log    *sourcetest.Log
	Runner *projector.Runner

	store checkpoint.Store
	p     *projector.Projection
	src   source.Source
	count int
}

// Start runs a projection on a store until the test ends. The store is not closed.
func Start(t testing.TB, store checkpoint.Store, build Build, opts ...projector.Option) *Harness {
	t.Helper()
	h := &Harness{Log: sourcetest.New(), store: store}
	h.src = h.Log.All(nil)
	h.p = build(h.src)
	r, err := projector.NewRunner(store, []*projector.Projection{h.p}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	h.Runner = r
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { // ends with the test
		defer close(done)
		_ = r.Run(ctx) // why it stopped is told by WaitFor
	}()
	t.Cleanup(func() { stop(); <-done })
	return h
}

// Append writes events to the log.
func (h *Harness) Append(t testing.TB, events ...Event) {
	t.Helper()
	appendTo(t, h.Log, h.count, events)
	h.count += len(events)
}

// Wait waits until everything that was appended is handled. The test fails at once, with the reason, if the projection stops.
func (h *Harness) Wait(t testing.TB) {
	t.Helper()
	head, err := h.src.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.IsStart() {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitBound)
	defer cancel()
	if err := h.Runner.WaitFor(ctx, h.p.Name(), head); err != nil {
		t.Fatal(err)
	}
}

// Rows returns the rows of a table of the projection, in the order of its key.
func (h *Harness) Rows(t testing.TB, table string) []Row {
	t.Helper()
	return rowsOf(t, h.store, h.p, table)
}
