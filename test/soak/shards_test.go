package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSoakShards has two processes share the shards of a projection, and kills one of them at random moments, again and again.
func TestSoakShards(t *testing.T) {
	t.Parallel()
	kills := size(t, 4, 100)
	events, pause := size(t, 6_000, 100_000), size(t, 40*time.Millisecond, 100*time.Millisecond)
	for _, kind := range []string{kindSQLite, kindPostgres, kindPooled} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			rng := rand.New(rand.NewPCG(uint64(events), uint64(len(kind))))
			j := job{Database: d, Events: events, Pause: pause, TTL: 500 * time.Millisecond, Once: true, Shards: 8}
			two := []*process{j.start(t), j.start(t)}
			killed := 0
			for ; killed < kills; killed++ {
				i := rng.IntN(2)
				select {
				case <-time.After(time.Duration(100+rng.IntN(1500)) * time.Millisecond):
				case <-two[i].ended: // it has come to the end of what there was
					if two[i].err != nil {
						t.Fatalf("%v:\n%s", two[i].err, two[i].text())
					}
				}
				_ = two[i].cmd.Process.Kill() // it may have ended meanwhile
				<-two[i].ended
				two[i] = j.start(t)
			}
			for _, p := range two {
				<-p.ended
				if p.err != nil {
					t.Fatalf("%v:\n%s", p.err, p.text())
				}
			}
			j.finish(t)
			st := d.check(t, truth{events: events, faults: fmt.Sprintf("%s, one of two killed %d times", kind, killed)})
			for _, s := range st.Shards {
				if s.Position != st.Position || len(st.Shards) != 8 {
					t.Errorf("%s is at %v, others at %v", s.Name, s.Position, st.Position)
				}
			}
			j.Shards = 3 // as they are all at one position
			j.finish(t)
			if st := d.check(t, truth{events: events, faults: "divided anew"}); len(st.Shards) != 3 {
				t.Errorf("%d shards", len(st.Shards))
			}
		})
	}
}
