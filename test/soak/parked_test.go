package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
)

// badStreams are those whose events fail until the cause is mended.
var badStreams = []string{"pony-1", "pony-4", "pony-9", "pony-16", "pony-25"}

// TestSoakParkedRetry has several tools ask for a retry of everything at once, while the owner runs, while it is killed again
// and again, and while there is none. Each parked event is applied once, in the order of its key.
func TestSoakParkedRetry(t *testing.T) {
	t.Parallel()
	events := size(t, 2_000, 20_000)
	for _, kind := range []string{kindSQLite, kindPostgres, kindPooled} {
		for _, owners := range []string{"running", "killed", "none"} {
			t.Run(kind+", owner "+owners, func(t *testing.T) {
				t.Parallel()
				d := newDatabase(t, kind)
				store := d.store(t)
				mended := filepath.Join(t.TempDir(), "mended")
				j := job{Database: d, Events: events, TTL: 300 * time.Millisecond, Fault: failsUntil + mended}
				bad := int64(0)
				for i := range events {
					if stream, _ := eventAt(i); slices.Contains(badStreams, stream) {
						bad++
					}
				}
				owner := j.start(t)
				handled(t, store, int64(events)-bad)
				for stored(t, store).Parked < bad {
					if err := wait(t.Context(), 5*time.Millisecond); err != nil {
						t.Fatal(err)
					}
				}
				if owners == "none" {
					owner.interrupt()
				}
				if err := os.WriteFile(mended, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				kills := 0
				var asking sync.WaitGroup
				for range 3 {
					asking.Go(func() { ask(t, &j, d) })
				}
				asked := make(chan struct{})
				go func() { asking.Wait(); close(asked) }() // ends with the answers
				for done := false; !done; {
					var kill <-chan time.Time
					if owners == "killed" && kills < 10 {
						kill = time.After(time.Duration(20+rand.IntN(400)) * time.Millisecond)
					}
					select {
					case <-asked:
						done = true
					case <-kill:
						_ = owner.cmd.Process.Kill() // it runs
						<-owner.ended
						kills++
						owner = j.start(t)
					}
				}
				d.check(t, truth{events: events, faults: fmt.Sprintf("%s, owner %s (%d times), %d parked, retried by 3 at once", kind, owners, kills, bad)})
				if owners != "none" {
					owner.says("lease acquired", 0)
					owner.interrupt()
				}
				if st := stored(t, store); st.Held {
					t.Errorf("in the end %+v", st)
				}
			})
		}
	}
}

// ask has everything retried that is parked, as a process of its own would.
func ask(t *testing.T, j *job, d database) {
	store, err := d.open(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	defer store.Close() //nolint:errcheck // nothing is left to be lost
	tool, err := projector.NewRunner(store, j.projections(newLog(j.Events).All(nil)), projector.WithLeaseTTL(j.TTL))
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // an outage ends the tool, not the parked events: somebody asks again
		_, err := tool.Execute(ctx, "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
		if err == nil {
			return
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			t.Error(err)
			return
		}
	}
}
