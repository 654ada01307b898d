package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// groupFolder has a projection that reads a group.
func groupFolder(t *testing.T) *folder {
	t.Helper()
	f := newFolder(t)
	b, err := os.ReadFile(filepath.Join(f.dir, "projector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("projector.yaml", strings.Replace(string(b), "source: {stream: pony_stream}",
		"source: {group: jumpers, stream: pony_stream, create: true}\n    dedupe: 24h", 1))
	return f
}

// TestGroupCommands runs a projection that reads a group, and every command that is about one.
func TestGroupCommands(t *testing.T) {
	t.Parallel()
	f := groupFolder(t)
	contains := func(got string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("does not say %q:\n%s", want, got)
			}
		}
	}
	contains(f.run("dry-run"), "Rowan")
	contains(f.run("run", "--once"), "3 events handled", "Rowan")
	contains(f.run("run", "--once"), "nothing new")
	contains(f.run("status"), "jumps  stopped  not known")
	contains(f.run("plan"), "up to date")

	f.append("pony.jumped", `{"name":"Ivy","height_m":"high"}`)
	f.append("pony.jumped", `{"name":"Ivy","height_m":0.9}`)
	contains(f.run("run", "--once"), "1 new event handled")
	contains(f.fail(ExitError, "parked", "list", "jumps"), "$persistentsubscription-pony_stream::jumpers-parked", "projector parked retry jumps")
	contains(f.run("read", "$persistentsubscription-pony_stream::jumpers-parked"), "4@pony_stream")
	contains(f.run("parked", "retry", "jumps"), "delivers its parked events again")

	contains(f.fail(ExitError, "reset", "jumps", "--yes"), "--delete-group")
	f.run("reset", "jumps", "--delete-group", "--yes")
	contains(f.run("run", "--once"), "4 events handled")
}
