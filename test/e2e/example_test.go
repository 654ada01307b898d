//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The example in code cheers over the records, those of the file and those that come, and ends in order.
func TestExample(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "ponies")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./examples/ponies")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pr := startIn(t, dir, binary)
	pr.untilIn(&pr.stdout, "event 8599: Hazel Brook holds the record now, with 1.37 m\n") // the last of the file
	pr.untilIn(&pr.stdout, "Applejack holds the record now, with 1.4")                    // live
	if err := pr.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	o := pr.wait()
	if o.code != 0 || o.stderr != "" {
		t.Errorf("code %d, stderr %q", o.code, o.stderr)
	}
	wantIn(t, o.stdout, "238 ponies have jumped; the best:\n  Applejack ")
}
