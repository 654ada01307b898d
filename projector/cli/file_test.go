package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTests(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if got := f.fail(ExitUsage, "test"); !strings.Contains(got, "has no tests") {
		t.Error(got)
	}
	code, stdout, stderr := runCLI(t, "", "test", "--config", "../../examples/cookbook/top10.yaml")
	if code != ExitOK || !strings.HasPrefix(stdout, "ok    ") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	good, err := os.ReadFile("testdata/tests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bad := f.write("bad.yaml", strings.Replace(string(good), "jumps: 2", "jumps: 3", 1))
	code, stdout, stderr = runCLI(t, "", "test", "--config", bad)
	if code != ExitError || !strings.Contains(stdout, "FAIL  counts\n") || !strings.Contains(stdout, "bad.yaml:") || !strings.Contains(stderr, "1 of 1 test failed") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	got := f.run("dry-run", "--limit", "1")
	if !strings.HasSuffix(got, "\njumps: 2 rows\nname  jumps  best_m\nIvy       2     0.6\n… 1 more\n") {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "projector.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the database was made: %v", err)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.extend("views:\n  best: SELECT name, best_m AS best FROM jumps ORDER BY best_m DESC LIMIT 1\n")
	if got, want := f.run("run", "--once"), "\nbest\nname   best\nRowan  0.75\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q at its end", got, want)
	}
	if got, want := f.run("show", "best", "--format", "json"), "[\n{\"name\":\"Rowan\",\"best\":0.75}\n]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
