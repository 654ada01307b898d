package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

func TestLint(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	path := filepath.Join(f.dir, "projector.yaml")
	f.edit("retry: {attempts: 1}", "retry: {attempts: 3, delay: 1s, then: stop}")
	want := path + ": no mistakes\n  jumps reads stream pony_stream\n    an event that fails: attempt 2 after 1s, 3 after 1.5s, then stop, 2.5s in all\n"
	if got := f.run("lint"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var report lintReport
	if err := json.Unmarshal([]byte(f.run("lint", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	wantReport := lintReport{File: path, OK: true, Mistakes: []lintFinding{}, Warnings: []lintFinding{}, Projections: []lintProjection{{
		Name: "jumps", Source: "stream pony_stream", Attempts: 3, Delays: []float64{1, 1.5}, Then: "stop",
	}}}
	if diff := cmp.Diff(wantReport, report, cmpopts.IgnoreUnexported(lintProjection{})); diff != "" {
		t.Error(diff)
	}
}

func TestLintWarnings(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.edit("best_m: float}", "best_m: float, nobody: int}")
	got := f.run("lint")
	if !strings.Contains(got, "projector.yaml:16:") || !strings.Contains(got, ": warning: projections.jumps.table.columns.nobody: no event changes this column\n") ||
		!strings.Contains(got, ": no mistakes, 1 warning\n") {
		t.Error(got)
	}
	if got := f.fail(ExitUsage, "lint", "--strict"); !strings.HasSuffix(got, "has 1 warning, and --strict allows none\n") {
		t.Error(got)
	}
}

func TestLintMistakes(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.edit("jumps: int", "jumps: inn")
	path := filepath.Join(f.dir, "projector.yaml")
	code, stdout, stderr := runCLI(t, "", "lint", "--config", path)
	if code != ExitUsage || stderr != "projector: "+path+" has 1 mistake\n" ||
		stdout != path+":16:36: projections.jumps.table.columns.jumps: unknown type \"inn\"; did you mean \"int\"?\n" {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	var report lintReport
	_, stdout, _ = runCLI(t, "", "lint", "--json", "--config", path)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.OK || len(report.Mistakes) != 1 || report.Mistakes[0].Line != 16 {
		t.Errorf("%v: %s", err, stdout)
	}
}

// The projections of a program are checked with those of the file, or without a file.
func TestLintOfAProgram(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	own := func(name string) Projection {
		return func(client *esclient.Client) *projector.Projection {
			return projector.New(name, eventstore.Stream(client, "s"), projector.On("t", func(context.Context, projector.Event[any]) error { return nil })).
				With(projector.WithRetry(projector.RetryPolicy{Attempts: 2, Delay: time.Second, MaxDelay: time.Second, Then: projector.ActionSkip}))
		}
	}
	for name, test := range map[string]struct {
		code int
		want string
	}{
		"own":   {ExitOK, "  own reads stream s\n    an event that fails: attempt 2 after 1s, then skip, 1s in all\n"},
		"jumps": {ExitUsage, "projection \"jumps\": the name is used twice\n"},
		"":      {ExitUsage, "has no name\n"},
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), f.args("lint"), strings.NewReader(""), &stdout, &stderr, own(name))
		if code != test.code || !strings.HasSuffix(stdout.String(), test.want) {
			t.Errorf("%q: code %d\n%s%s", name, code, stdout.String(), stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer // there is no projector.yaml where this test runs
	if code := Run(t.Context(), []string{"lint"}, strings.NewReader(""), &stdout, &stderr, own("own")); code != ExitOK {
		t.Errorf("code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}
