package eventlog

import (
	"errors"
	"fmt"
	"testing"
)

// TestInventedPositions asks for every position there could be: only where a record begins are there events to read upwards.
func TestInventedPositions(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		t.Run(fmt.Sprint("dir=", dir != ""), func(t *testing.T) {
			t.Parallel()
			l := open(t, Options{Dir: dir})
			l.mustAppend(t, "s", ExpectAny, "a", "b")
			l.mustAppend(t, "other", ExpectAny, "c")
			begins := map[int64]bool{0: true}
			p := l.ReadAll(AllQuery{Count: 10})
			for _, e := range p.Events {
				begins[e.Prepare] = true
			}
			p.Release()
			if len(begins) != 4 {
				t.Fatalf("%d records", len(begins)-1)
			}
			for pos := int64(0); pos < l.Head()+100; pos++ {
				p := l.ReadAll(AllQuery{From: Position{pos, pos}, Count: 10})
				switch n := len(p.Events); {
				case begins[pos] && (n == 0 || p.Err != nil):
					t.Errorf("position %d: %d events, %v", pos, n, p.Err)
				case pos >= l.Head() && (n > 0 || p.Err != nil):
					t.Errorf("position %d, behind the head: %d events, %v", pos, n, p.Err)
				case !begins[pos] && pos < l.Head() && (n > 0 || !errors.Is(p.Err, ErrPosition)):
					t.Errorf("position %d, inside a record: %d events, %v", pos, n, p.Err)
				}
				p.Release()
				p = l.ReadAll(AllQuery{From: Position{pos, pos}, Count: 10, Backward: true})
				if n := len(p.Events); n > 0 && !begins[pos] && pos != l.Head() {
					t.Errorf("backward from position %d, inside a record: %d events", pos, n)
				}
				p.Release()
			}
		})
	}
}
