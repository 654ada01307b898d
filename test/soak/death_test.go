package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
)

// TestSoakDeathsAtOneEvent has the process exit whenever it comes to one event. After so many deaths that event is parked,
// with those of its key that follow, and the projection lives. Once the cause is gone, a retry makes up for all of it.
func TestSoakDeathsAtOneEvent(t *testing.T) {
	t.Parallel()
	rounds := size(t, 1, 10)
	for _, tc := range []struct{ kind, fault string }{
		{kindSQLite, exitInHandler},
		{kindPostgres, exitInTx},
		{kindSQLite, exitInFold},
		{kindPooled, exitInHandler},
	} {
		t.Run(tc.kind+" "+tc.fault, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				dieAtOneEvent(t, tc.kind, tc.fault)
			}
		})
	}
}

func dieAtOneEvent(t *testing.T, kind, fault string) {
	t.Helper()
	const events = 1_000
	d := newDatabase(t, kind)
	j := job{Database: d, Events: events, TTL: 200 * time.Millisecond, Fault: fault, At: 300 + rand.IntN(300), Once: true}
	store := d.store(t)
	deaths, idle, before := 0, 0, int64(0)
	for ; ; deaths++ {
		p := j.start(t)
		<-p.ended
		if p.err == nil {
			break
		}
		if p.cmd.ProcessState.ExitCode() != exitCode || idle > 10 {
			t.Fatalf("after %d deaths: %v\n%s", deaths, p.err, p.text())
		}
		if now := stored(t, store).Handled; now == before {
			idle++
		} else {
			before = now
		}
	}
	// Deaths after which something of what comes before the event was committed do not count, but for the last such.
	if deaths < 5 || idle > 5 {
		t.Errorf("%d deaths, %d of them without a commit", deaths, idle)
	}
	stream, killer := eventAt(j.At)
	parked, err := store.(checkpoint.ParkingStore).Parked(t.Context(), "ponies", nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(parked) == 0 || parked[0].ID != killer.ID || parked[0].Class != "crash" {
		t.Fatalf("%d parked, of them the first %+v", len(parked), parked)
	}
	for _, p := range parked {
		if p.Stream != stream {
			t.Errorf("innocent: %+v", p)
		}
	}
	if st := stored(t, store); st.Handled != events-st.Parked {
		t.Errorf("stored %+v", st)
	}
	n := len(parked)
	j.Fault = ""
	answer := retryAll(t, &j, store)
	if want := fmt.Sprintf("%d handled, 0 still parked", n); answer != want {
		t.Errorf("answer %q, want %q", answer, want)
	}
	d.check(t, truth{events: events, faults: fmt.Sprintf("%s, %s, %d deaths, %d parked and retried", kind, fault, deaths, n)})
}

// retryAll has everything that is parked tried again, by a runner of this process if nobody else owns the projection.
func retryAll(t *testing.T, j *job, store checkpoint.Store) (answer string) {
	t.Helper()
	tool, err := projector.NewRunner(store, j.projections(newLog(j.Events).All(nil)), projector.WithLeaseTTL(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tool.Execute(t.Context(), "ponies", projector.NewCommand(projector.CommandRetry, projector.Which{}, "test"))
	if err != nil || c.Refused {
		t.Fatalf("%+v, %v", c, err)
	}
	return c.Answer
}

// TestSoakOutOfMemory limits the memory of the process, and has it run out of that at random moments. No event is to blame,
// and none is parked. The process is built without the race detector, which needs more memory than any limit allows.
func TestSoakOutOfMemory(t *testing.T) {
	t.Parallel()
	const deaths, events = 40, 100_000
	if os.Getenv("PROJECTOR_SOAK") == "" {
		t.Skip("builds everything a second time; run by make soak (PROJECTOR_SOAK=1)")
	}
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("needs prlimit, which only Linux has")
	}
	binary := filepath.Join(t.TempDir(), "soak")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, kind := range []string{kindSQLite, kindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			j := job{Database: d, Events: events, Pause: 20 * time.Millisecond, TTL: 200 * time.Millisecond, Fault: outOfMemory, Once: true}
			for died := range deaths {
				p := j.startAs(t, "prlimit", fmt.Sprintf("--as=%d", 1<<30), binary)
				<-p.ended
				if text := p.text(); !strings.Contains(text, "out of memory") && !strings.Contains(text, "cannot allocate") {
					t.Fatalf("death %d: %v\n%s", died, p.err, text)
				}
			}
			j.finish(t)
			d.check(t, truth{events: events, faults: fmt.Sprintf("%s, out of memory %d times", kind, deaths)})
		})
	}
}
