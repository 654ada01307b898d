package esclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient"
)

// soak reports whether the long tests run at full scale: `make soak`.
func soak() bool { return os.Getenv("PROJECTOR_SOAK") != "" }

// scale returns the full size for `make soak`, and the small one else.
func scale(full, small int) int {
	if soak() {
		return full
	}
	return small
}

// fate is what became of an append.
type fate struct {
	Writer, Seq int
	err         error
}

// TestSoakAppendsUnderCuts lets writers append one event after the other while the connection is cut all the time. Every
// acknowledged event must be in the stream exactly once, in the order of its writer, and every refused one must not.
func TestSoakAppendsUnderCuts(t *testing.T) {
	t.Parallel()
	writers, each := 100, scale(1000, 30)
	every := 50 * time.Millisecond
	node := startNode(t)
	net := newNetwork()
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext), esclient.WithRetries(esclient.Unlimited))

	done := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() { // ends when done is closed
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				net.cut()
			case <-done:
				return
			}
		}
	})
	fates := make([][]fate, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for seq := range each {
				if w == 0 && seq == each/2 {
					net.cut() // once at least, however fast the machine is
				}
				f := fate{Writer: w, Seq: seq}
				_, f.err = c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "written", Body: f})
				fates[w] = append(fates[w], f)
			}
		})
	}
	wg.Wait()
	close(done)
	cutter.Wait()
	acked := checkFates(t, c, "s", fates)
	t.Logf("%d events acknowledged, %d cuts, %+v", acked, net.cuts.Load(), c.Stats())
	if acked != writers*each {
		t.Errorf("%d of %d appends were acknowledged, though they may be tried for ever", acked, writers*each)
	}
	if net.cuts.Load() == 0 {
		t.Error("the connection was never cut")
	}
}

// checkFates compares what writers were told with what the stream holds.
func checkFates(t *testing.T, c *esclient.Client, stream string, fates [][]fate) (acked int) {
	t.Helper()
	seen := map[fate]int{}
	known := map[fate]bool{} // acknowledged; others may come late, over a connection that was given up
	for _, told := range fates {
		for _, f := range told {
			known[fate{Writer: f.Writer, Seq: f.Seq}] = f.err == nil
		}
	}
	last := make([]int, len(fates))
	for i := range last {
		last[i] = -1
	}
	for e, err := range c.StreamEvents(t.Context(), stream, 0, esclient.ReadOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		var f fate
		if err := json.Unmarshal(e.Data, &f); err != nil {
			t.Fatal(err)
		}
		seen[f]++
		if !known[f] {
			continue
		}
		if f.Seq <= last[f.Writer] {
			t.Errorf("writer %d: event %d after %d", f.Writer, f.Seq, last[f.Writer])
		}
		last[f.Writer] = f.Seq
	}
	for _, told := range fates {
		for _, f := range told {
			n := seen[fate{Writer: f.Writer, Seq: f.Seq}]
			switch {
			case f.err == nil:
				acked++
				if n != 1 {
					t.Errorf("writer %d event %d: acknowledged, and there %d times", f.Writer, f.Seq, n)
				}
			case errors.Is(f.err, esclient.ErrUnknownOutcome):
				if n > 1 {
					t.Errorf("writer %d event %d: outcome unknown, and there %d times", f.Writer, f.Seq, n)
				}
			case n != 0:
				t.Errorf("writer %d event %d: there although %v", f.Writer, f.Seq, f.err)
			}
		}
	}
	return acked
}

// TestSoakFatesWithoutRetries is the same without any retry: now outcomes are unknown, and only those.
func TestSoakFatesWithoutRetries(t *testing.T) {
	t.Parallel()
	writers, each := 20, scale(500, 50)
	node := startNode(t)
	net := newNetwork()
	net.budget = randomBudget(20_000)
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext), esclient.WithRetries(0),
		esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited}))
	fates := make([][]fate, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for seq := range each {
				f := fate{Writer: w, Seq: seq}
				_, f.err = c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "written", Body: f})
				fates[w] = append(fates[w], f)
			}
		})
	}
	wg.Wait()
	check := dial(t, node.URL())
	acked := checkFates(t, check, "s", fates)
	unknown := 0
	for _, told := range fates {
		for _, f := range told {
			if errors.Is(f.err, esclient.ErrUnknownOutcome) {
				unknown++
			}
			if f.err != nil && esclient.SafeToRetry(f.err) == errors.Is(f.err, esclient.ErrUnknownOutcome) {
				t.Errorf("safe to retry and of unknown outcome, or neither: %v", f.err)
			}
		}
	}
	t.Logf("%d acknowledged, %d unknown, %d cuts", acked, unknown, net.cuts.Load())
	if acked == 0 || net.cuts.Load() == 0 {
		t.Errorf("%d acknowledged, %d cuts", acked, net.cuts.Load())
	}
}

// TestSoakCatchUpUnderCuts reads a long stream while the connection breaks at random bytes.
func TestSoakCatchUpUnderCuts(t *testing.T) {
	t.Parallel()
	events, cuts := scale(1_000_000, 30_000), scale(200, 60)
	node := startNode(t)
	fill(t, dial(t, node.URL()), "s", events)
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
			net := newNetwork()
			const size = 35 // half the bytes of an event in a page, so that there are enough cuts
			net.budget = randomBudget(int64(events * size / cuts))
			c := dial(t, node.URL(), esclient.WithDialer(net.DialContext),
				esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited}))
			sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{PageSize: 100})
			if all {
				sub = c.SubscribeAll(esclient.FromStart(), esclient.SubscribeOptions{PageSize: 100, KeepLinks: true})
			}
			defer sub.Stop()
			var peak uint64
			next := int64(0)
			for e, err := range sub.Events(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Stream != "s" {
					continue
				}
				wantNumber(t, e, next)
				next++
				if next%10_000 == 0 {
					peak = max(peak, heap())
				}
				if next == int64(events) {
					break
				}
			}
			t.Logf("%d events, %d cuts, heap at most %d KiB", next, net.cuts.Load(), peak>>10)
			if got := int(net.cuts.Load()); got < cuts {
				t.Errorf("%d cuts only, want %d", got, cuts)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestSoakAppendFromUnderCuts writes an ordered sequence through a connection that breaks at random bytes, beside another
// writer to the same stream.
func TestSoakAppendFromUnderCuts(t *testing.T) {
	t.Parallel()
	events := scale(200_000, 10_000)
	node := startNode(t)
	net := newNetwork()
	net.budget = randomBudget(100_000)
	fast := esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: esclient.Unlimited})
	c := dial(t, node.URL(), esclient.WithDialer(net.DialContext), esclient.WithRetries(esclient.Unlimited), fast)
	other := dial(t, node.URL())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // ends with ctx
		for n := 0; ctx.Err() == nil; n++ {
			_, err := other.Append(ctx, "s", esclient.Any, esclient.NewEvent{Type: "other", Body: n})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	result, err := c.AppendFrom(t.Context(), "s", esclient.Any, func(yield func(esclient.NewEvent) bool) {
		for i := range events {
			if !yield(esclient.NewEvent{Type: "counted", Body: i}) {
				return
			}
		}
	}, esclient.AppendFromOptions{Batch: 10})
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	next, others := 0, 0
	for e, err := range other.StreamEvents(t.Context(), "s", 0, esclient.ReadOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "other" {
			others++
			continue
		}
		if string(e.Data) != fmt.Sprint(next) {
			t.Fatalf("event %d has body %s, want %d", e.Number, e.Data, next)
		}
		next++
	}
	t.Logf("%d events among %d others, %d cuts, %+v", next, others, net.cuts.Load(), result)
	if next != events {
		t.Errorf("got %d events, want %d", next, events)
	}
}
