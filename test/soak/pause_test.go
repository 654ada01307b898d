//go:build unix

package soak

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// TestSoakPause stops one of two processes at a random moment for longer than its lease lives, and wakes it, until both have
// come to the end. Whoever wakes up believes that the lease is his.
func TestSoakPause(t *testing.T) {
	t.Parallel()
	events, least := size(t, 5_000, 100_000), size(t, 2, 50)
	pause := size(t, 40*time.Millisecond, 60*time.Millisecond)
	for _, kind := range []string{kindSQLite, kindPostgres, kindPooled} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			pauses := pauseUntilDone(t, &job{Database: d, Events: events, Pause: pause, TTL: 300 * time.Millisecond, Once: true})
			st := d.check(t, truth{events: events, faults: fmt.Sprintf("%s, stopped and woken %d times", kind, pauses)})
			if pauses < least || st.Epoch < 2 {
				t.Errorf("only %d pauses and %d owners", pauses, st.Epoch)
			}
		})
	}
}

// pauseUntilDone runs two processes on one database and pauses them in turn.
func pauseUntilDone(t *testing.T, j *job) (pauses int) {
	t.Helper()
	processes := [2]*process{j.start(t), j.start(t)}
	running := func(d time.Duration) bool { // both, after the time
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-processes[0].ended:
		case <-processes[1].ended:
		case <-timer.C:
			return true
		}
		return false
	}
	rng := rand.New(rand.NewPCG(uint64(j.Events), uint64(len(j.Database.URL))))
	for running(time.Duration(rng.IntN(400)) * time.Millisecond) {
		p := processes[rng.IntN(2)].cmd.Process
		if p.Signal(syscall.SIGSTOP) == nil {
			pauses++
			running(time.Duration(500+rng.IntN(700)) * time.Millisecond)
			_ = p.Signal(syscall.SIGCONT) // it may have ended
		}
	}
	for _, p := range processes {
		if <-p.ended; p.err != nil {
			t.Fatalf("%v: %s", p.err, p.text())
		}
	}
	return pauses
}
