package projector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

var errCut = errors.New("connection cut")

// keysOf are the keys of the events fill made in a single stream.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("pony-0/%d", i)
	}
	return keys
}

func note(_ context.Context, tx *notes, e projector.Event[jumped]) error {
	tx.lines = append(tx.lines, fmt.Sprintf("%s/%d", e.Stream, e.Number))
	return nil
}

// Every commit may fail, and half of those that fail were done all the same.
func TestAmbiguousCommitsCountOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"table", "OnTx", "both"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, store, tab := sourcetest.New(), newStore(), newTally("jumps")
				rng := rand.New(rand.NewPCG(1, 2))
				var cuts atomic.Int64
				fault := func(op string) error {
					if op == "commit" && rng.IntN(3) == 0 {
						cuts.Add(1)
						return errCut
					}
					return nil
				}
				store.set(fault, fault)
				fill(log, 1, 500)
				var parts []projector.Part
				if kind != "OnTx" {
					parts = append(parts, tab)
				}
				if kind != "table" {
					parts = append(parts, projector.OnTx("pony.jumped", note))
				}
				r := newRunner(t, store, projector.New("ponies", log.Stream("pony-0"), parts...), projector.Once(), projector.WithBatchSize(7))
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if cuts.Load() < 10 {
					t.Fatalf("only %d cuts", cuts.Load())
				}
				if kind != "OnTx" {
					if got := counts(t, store, tab)["pony-0"]; got != 500 {
						t.Errorf("row says %d", got)
					}
				}
				if kind != "table" {
					if diff := gocmp.Diff(keysOf(500), store.lines); diff != "" {
						t.Error(diff)
					}
				}
				if st := r.Status()[0]; st.Handled != 500 {
					t.Errorf("handled %d", st.Handled)
				}
				if st := stored(t, store); st.Handled != 500 {
					t.Errorf("stored handled %d", st.Handled)
				}
			})
		})
	}
}
