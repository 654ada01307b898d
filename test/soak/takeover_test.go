//go:build unix

package soak

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

const (
	takeoverTTL = 1500 * time.Millisecond
	// takeoverBound is how long it takes at most until a standby has committed what the owner could not, on a machine that
	// has the time: without PROJECTOR_SOAK it is printed only.
	takeoverBound = takeoverTTL + time.Second
)

// TestSoakTakeover stops the owner at the worst places for longer than its lease lives. The standby takes over in time, and
// when the owner is woken it commits nothing.
func TestSoakTakeover(t *testing.T) {
	t.Parallel()
	rounds := size(t, 1, 20)
	for _, tc := range []struct{ kind, fault string }{
		{kindSQLite, stopBetween},
		{kindPostgres, stopBetween},
		{kindPostgres, stopInTx},
		{kindPostgres, stopInCopy},
		{kindPooled, stopInTx},
		{kindPooled, stopInCopy},
	} {
		t.Run(tc.kind+" "+tc.fault, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				inTime(t, size(t, time.Minute, takeoverBound), func() time.Duration { return takeOver(t, tc.kind, tc.fault) })
			}
		})
	}
}

// inTime repeats what takes too long, up to three times: the machine may have been busy with something else.
func inTime(t *testing.T, bound time.Duration, fn func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 3 {
		d := fn()
		if d <= bound {
			return
		}
		took = append(took, d)
	}
	t.Errorf("took %v, should take %v at most", took, bound)
}

// takeOver lets an owner be stopped and woken, and returns how long it took the standby to go on.
func takeOver(t *testing.T, kind, fault string) time.Duration {
	t.Helper()
	d := newDatabase(t, kind)
	s := d.store(t)
	const events, gate = 600, 200
	at := gate + rand.IntN(200)
	if fault == stopBetween {
		at = gate // no commit is under way then
	}
	j := job{Database: d, Events: events, Gate: gate, TTL: takeoverTTL, Fault: fault, At: at}
	owner := j.start(t)
	owner.says("lease acquired", 0)
	handled(t, s, gate)
	j.Fault, j.Gate = "", 0
	standby := j.start(t)
	standby.says("waiting for the lease", 0)
	if err := owner.input.Close(); err != nil {
		t.Fatal(err)
	}
	woken := owner.says("stopping\n", 0)
	wake := func() { owner.signal(syscall.SIGCONT) }
	if fault == stopBetween {
		wake = owner.stopUnlocked(d)
	} else {
		owner.awaitStop()
	}
	stopped := time.Now()
	if fault == stopInCopy {
		inCopy(t, d)
	}
	before := stored(t, s)
	if before.Epoch != 1 || before.Handled < gate || before.Handled > int64(at) {
		t.Errorf("when it was stopped: %+v", before)
	}
	handled(t, s, before.Handled+1)
	took := time.Since(stopped)
	t.Logf("%s, %s: the standby had committed %v later, with a ttl of %v", kind, fault, took.Round(time.Millisecond), takeoverTTL)
	handled(t, s, events)
	wake()
	owner.says("waiting for the lease", woken)
	st := d.check(t, truth{events: events, faults: fmt.Sprintf("%s, an owner %s", kind, fault)})
	if st.Epoch != 2 {
		t.Errorf("stored %+v", st)
	}
	owner.interrupt()
	standby.interrupt()
	if st := stored(t, s); st.Held || st.State != "stopped" {
		t.Errorf("in the end %+v", st)
	}
	return took
}

// inCopy waits until the server is in the middle of COPY, where it has read what came and waits for more.
func inCopy(t *testing.T, d database) {
	t.Helper()
	for range 10_000 {
		var n int
		d.row(t, fmt.Sprintf(`SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'ClientRead'
			AND lower(query) LIKE 'copy %%%s%%'`, d.Schema), &n)
		if n > 0 {
			return
		}
	}
	t.Fatal("no COPY is under way")
}

// With SQLite an owner that is stopped while it writes has the file locked, and nobody can take that from it. Nothing goes
// on before it goes on or is gone.
func TestSoakSQLiteStoppedInTransaction(t *testing.T) {
	t.Parallel()
	size(t, 0, 0)
	for name, end := range map[string]syscall.Signal{"woken": syscall.SIGCONT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kindSQLite)
			s := d.store(t)
			const events, gate, at = 600, 200, 300
			j := job{Database: d, Events: events, Gate: gate, TTL: takeoverTTL, Fault: stopInTx, At: at}
			owner := j.start(t)
			handled(t, s, gate)
			j.Fault, j.Gate = "", 0
			standby := j.start(t)
			standby.says("waiting for the lease", 0)
			if err := owner.input.Close(); err != nil {
				t.Fatal(err)
			}
			owner.says("stopping\n", 0)
			owner.awaitStop()
			standby.says("projection paused", 0) // it has waited for the file as long as it does
			if st := stored(t, s); st.Epoch != 1 || st.Handled > at {
				t.Errorf("while the file is locked: %+v", st)
			}
			owner.signal(end)
			began := time.Now()
			handled(t, s, events)
			t.Logf("%s: all was handled %v later", name, time.Since(began).Round(time.Millisecond))
			d.check(t, truth{events: events, faults: "sqlite, an owner stopped in a transaction and " + name})
			if end == syscall.SIGCONT {
				owner.interrupt()
			}
			standby.interrupt()
		})
	}
}
