package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSoakKill kills the process at random moments until it has come to the end.
func TestSoakKill(t *testing.T) {
	t.Parallel()
	kills := size(t, 5, 200)
	events, pause := size(t, 5_000, 100_000), size(t, 20*time.Millisecond, 100*time.Millisecond)
	for _, kind := range []string{kindSQLite, kindPostgres, kindPooled} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			rng := rand.New(rand.NewPCG(uint64(events), uint64(len(kind))))
			j := job{Database: d, Events: events, Pause: pause, TTL: 300 * time.Millisecond, Once: true}
			killed := 0
			for ; killed < kills; killed++ {
				p := j.start(t)
				select {
				case <-time.After(time.Duration(50+rng.IntN(1200)) * time.Millisecond):
				case <-p.ended:
					t.Fatalf("ended after %d kills of %d already: %v\n%s", killed, kills, p.err, p.text())
				}
				_ = p.cmd.Process.Kill() // it may have ended meanwhile
				<-p.ended
			}
			j.finish(t)
			d.check(t, truth{events: events, faults: fmt.Sprintf("%s, killed %d times", kind, killed)})
		})
	}
}

// finish runs a process that nothing befalls to its end.
func (j *job) finish(t *testing.T) {
	t.Helper()
	clean := *j
	clean.Fault, clean.Once, clean.Pause, clean.Gate = "", true, 0, 0
	p := clean.start(t)
	<-p.ended
	if p.err != nil {
		t.Fatalf("%v:\n%s", p.err, p.text())
	}
}
