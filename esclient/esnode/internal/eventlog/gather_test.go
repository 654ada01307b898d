package eventlog

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowDisk is memory whose sync takes its time.
type slowDisk struct {
	*memory
	takes time.Duration
	syncs int
}

func (d *slowDisk) Sync() error {
	time.Sleep(d.takes)
	d.syncs++
	return nil
}

// TestGather lets writers write one event after the other: however many they are, one sync is for all of them, and nobody
// waits for longer than that takes.
func TestGather(t *testing.T) {
	t.Parallel()
	const each = 100
	for _, writers := range []int{1, 2, 9, 100} {
		t.Run(fmt.Sprint(writers, " writers"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				disk := &slowDisk{memory: newMemory(), takes: 8 * time.Millisecond}
				l := open(t, Options{Sync: true})
				l.store, l.trusted = disk, false
				began := time.Now()
				var wg sync.WaitGroup
				for w := range writers {
					wg.Go(func() {
						for n := range each {
							if got := l.appendSync(fmt.Sprint("s", w), int64(n)-1, events("x")); got.Outcome != Success {
								t.Error(got)
							}
						}
					})
				}
				wg.Wait()
				took := time.Since(began)
				if want := each + 2; disk.syncs > want { // the first ones may find only some of the writers
					t.Errorf("%d syncs, want at most %d", disk.syncs, want)
				}
				if writers == 1 && took != each*disk.takes {
					t.Errorf("one writer took %v, want %v", took, each*disk.takes)
				}
				if most := (each + 2) * disk.takes * 3 / 2; took > most {
					t.Errorf("took %v, want at most %v", took, most)
				}
			})
		})
	}
}
