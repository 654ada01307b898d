package esnode

import (
	"encoding/json"
	"slices"
	"testing"
)

// A node is like a server whose projections are off, unless they are asked for: nothing is in the log but what was
// appended.
func TestSystemProjections(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts []Option
		mode string
		all  []string // types of all events
		ce   []string // what $ce-pony refers to
	}{
		"by default": {mode: "None", all: []string{"T", "T"}},
		"off":        {opts: []Option{SystemProjections(true), SystemProjections(false)}, mode: "None", all: []string{"T", "T"}},
		"on": {
			opts: []Option{SystemProjections(true)}, mode: "System",
			all: []string{"$>", "$>", "$>", "$>", "$>", "T", "T"}, ce: []string{"0@pony-1", "1@pony-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, append(test.opts, HTTP("127.0.0.1:0"))...)
			c := dialRaw(t, n)
			c.append("pony-1", "a", "b")
			page := c.ask(ReadAllEventsForward, msg(1, 0, 2, 0, 3, 100, 4, 0, 5, 1), ReadAllEventsForwardCompleted)
			var types []string
			for _, e := range page[3] {
				types = append(types, string(eventField(t, e.bytes, 4)))
			}
			if slices.Sort(types); !slices.Equal(types, test.all) {
				t.Errorf("$all has events of the types %q, want %q", types, test.all)
			}
			if got := c.bodiesOf("$ce-pony"); !slices.Equal(got, test.ce) {
				t.Errorf("$ce-pony refers to %q, want %q", got, test.ce)
			}
			var info struct{ ProjectionsMode string }
			if err := json.Unmarshal([]byte(newWeb(t, n).want(200, "GET", "/info", "", "")), &info); err != nil {
				t.Fatal(err)
			}
			if info.ProjectionsMode != test.mode {
				t.Errorf("projections: %s, want %s", info.ProjectionsMode, test.mode)
			}
		})
	}
}
