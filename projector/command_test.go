package projector_test

import (
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/projector"
)

func TestParkedCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{stream: "pony-3"}
		w := newWorld("table", f)
		fill(w.log, 5, 25)
		r := newRunner(t, w.store, projector.New("ponies", w.log.All(nil), w.part))
		running(t, r)
		until(t, r, "live", func(s projector.Status) bool { return s.State == projector.StateLive })
		other := "pony-1"
		for _, tc := range []struct {
			name    string
			which   projector.Which
			refused bool
			answer  string
		}{
			{projector.CommandRetry, projector.Which{Number: 3}, true, `event number 3 waits behind number 1 of its key "pony-3"`},
			{projector.CommandRetry, projector.Which{Number: 99}, true, "no parked event has number 99"},
			{projector.CommandRetry, projector.Which{Key: &other}, true, `no event of key "pony-1" is parked`},
			{"parked.eat", projector.Which{}, true, `unknown command "parked.eat"`},
			{projector.CommandDrop, projector.Which{Number: 1}, false, "1 dropped, 4 still parked"},
			{projector.CommandRetry, projector.Which{Number: 2}, false, "0 handled, 4 still parked: event number 2: bad key"},
			{projector.CommandDrop, projector.Which{}, false, "4 dropped, 0 still parked"},
		} {
			if c := command(t, w.store, tc.name, tc.which); c.Refused != tc.refused || c.Answer != tc.answer {
				t.Errorf("%s %+v: %+v", tc.name, tc.which, c)
			}
		}
		f.off.Store(true)
		fill(w.log, 5, 5)
		until(t, r, "done", func(s projector.Status) bool { return s.Handled == 25 })
		if diff := gocmp.Diff(ofStreams(5, 6, map[string]int64{"pony-3": 1}), w.handled(t, "table")); diff != "" {
			t.Error(diff)
		}
	})
}
