//go:build unix

package soak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSoakPause stops one of two processes at a random moment for longer than its lease lives, and wakes it, until both have
// come to the end. Whoever wakes up believes that the lease is his.
func TestSoakPause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	events, least, pause := 12_000, 3, 40*time.Millisecond
	if os.Getenv("PROJECTOR_SOAK") != "" {
		events, least, pause = 100_000, 50, 60*time.Millisecond
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			database, count := prepare(t, kind)
			pauses := pauseUntilDone(t, database, events, pause)
			store, err := openStore(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close() //nolint:errcheck // only read from
			if diff := cmp.Diff(wanted(events), rows(t, store)); diff != "" {
				t.Errorf("rows: %s", diff)
			}
			lines, repeated := count()
			st, err := store.List(t.Context())
			if err != nil || len(st) != 1 {
				t.Fatalf("%v, %v", st, err)
			}
			t.Logf("%s: paused %d times, %d events handled, %d lines of audit, %d repeated, %d parked, %d takeovers",
				kind, pauses, st[0].Handled, lines, repeated, st[0].Parked, st[0].Epoch)
			if lines != events || repeated != 0 || st[0].Handled != int64(events) || st[0].Parked != 0 {
				t.Errorf("stored %+v", st[0])
			}
			if pauses < least || st[0].Epoch < 2 {
				t.Errorf("only %d pauses and %d owners", pauses, st[0].Epoch)
			}
		})
	}
}

// pauseUntilDone runs two processes on one database and pauses them in turn.
func pauseUntilDone(t *testing.T, database string, events int, pause time.Duration) (pauses int) {
	t.Helper()
	var processes [2]*exec.Cmd
	var outs [2]bytes.Buffer
	type ended struct {
		which int
		err   error
	}
	done := make(chan ended, len(processes))
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envDatabase+"="+database, envEvents+"="+fmt.Sprint(events), envPause+"="+pause.String())
		cmd.Stderr = &outs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes[i] = cmd
		go func() { done <- ended{i, cmd.Wait()} }() // ends with the process
	}
	rng := rand.New(rand.NewPCG(uint64(events), uint64(len(database))))
	running := len(processes)
	// After either returns, the pause of the other is over.
	wait := func(d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case e := <-done:
			running--
			if e.err != nil {
				t.Fatalf("process %d: %v: %s", e.which, e.err, outs[e.which].String())
			}
		case <-timer.C:
		}
	}
	for running > 0 {
		wait(time.Duration(rng.IntN(400)) * time.Millisecond)
		p := processes[rng.IntN(2)].Process
		if running == 2 && p.Signal(syscall.SIGSTOP) == nil {
			pauses++
			wait(time.Duration(500+rng.IntN(700)) * time.Millisecond)
			_ = p.Signal(syscall.SIGCONT) // it may have ended
		}
	}
	return pauses
}
