package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// What cannot be handled is put aside; the others go on. Commands for it run the projection where nobody does.
func TestParked(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.append("pony.jumped", `{"name":"Ivy","height_m":"high"}`)
	f.append("pony.jumped", `{"name":"Ivy","height_m":0.7}`)
	f.append("pony.jumped", `{"name":"Rowan","height_m":0.9}`)
	if got := f.run("run", "--once"); !strings.Contains(got, "2 parked (projector parked list jumps)") || !strings.Contains(got, "Rowan      2     0.9\n") {
		t.Error(got)
	}
	list := f.run("parked", "list", "jumps")
	if !strings.Contains(list, "NUMBER") || !strings.Contains(list, "4@pony_stream") || !strings.Contains(list, "waits behind an earlier event of its key") {
		t.Error(list)
	}
	var first parkedLine
	if err := json.NewDecoder(strings.NewReader(f.run("parked", "list", "jumps", "--json"))).Decode(&first); err != nil {
		t.Fatal(err)
	}
	number := fmt.Sprint(first.Number)
	if got := f.run("parked", "show", "jumps", number); !strings.Contains(got, `{"name":"Ivy","height_m":"high"}`) {
		t.Error(got)
	}
	if got := f.run("parked", "show", "jumps", number); !regexp.MustCompile(`\nattempts  1, from 20\S+ to 20\S+\nreason    handler error: .*\n`).MatchString(got) {
		t.Error(got)
	}
	if got := f.run("status"); !strings.Contains(got, "  2  ") {
		t.Error(got)
	}
	if got := f.run("parked", "retry", "jumps"); !strings.Contains(got, "0 handled, 2 still parked") {
		t.Error(got)
	}
	if got := f.fail(ExitError, "parked", "drop", "jumps", "--key", "Nobody"); !strings.Contains(got, "no event of key") {
		t.Error(got)
	}
	if got := f.run("parked", "drop", "jumps", "--number", number); got != "1 dropped, 1 still parked\n" {
		t.Error(got)
	}
	if got := f.run("parked", "retry", "jumps"); got != "1 handled, 0 still parked\n" {
		t.Error(got)
	}
	if got := f.run("show", "jumps", "--format", "csv"); !strings.Contains(got, "Ivy,3,0.7\n") {
		t.Error(got)
	}
	if got := f.run("parked", "list", "jumps"); got != "no event of projection jumps is parked\n" {
		t.Error(got)
	}
}
