package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

// edit replaces a part of the configuration.
func (f *folder) edit(old, replacement string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "projector.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		f.t.Fatalf("the configuration has no %q", old)
	}
	f.write("projector.yaml", strings.Replace(string(b), old, replacement, 1))
}

func TestPlan(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	want := func(want string) {
		t.Helper()
		if got := f.run("plan", "--sample", "0"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	db := "sqlite://" + filepath.ToSlash(f.dir) + "/projector.db"
	want("database " + db + " does not exist; `projector run` makes it\njumps: new, reads 4 events\n  + table jumps with 3 columns\n")
	for _, made := range []string{"projector.db", "eventstore"} {
		if _, err := os.Stat(filepath.Join(f.dir, made)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("plan has made %s: %v", made, err)
		}
	}
	f.run("run", "--once")
	want("jumps: up to date at 3\n    table jumps has 2 rows\n")
	f.append("pony.jumped", `{"name":"Ivy","height_m":1}`)
	want("jumps: goes on after 3, reads 1 event\n    table jumps has 2 rows\n")
	f.edit("best_m: float}", "best_m: float, stars: {type: int, default: 3}}")
	f.edit("primary_key: name", "primary_key: name\n      indexes: [best_m]")
	want("jumps: goes on after 3, reads 1 event\n    table jumps has 2 rows\n  + column stars int default 3\n  + index on (best_m)\n")
	f.edit("{jumps: 1}", "{jumps: 2}")
	want("jumps: changed: its rows were built by another definition; will not go on until `projector reset jumps`, then reads 5 events\n" +
		"    table jumps has 2 rows\n  + column stars int default 3\n  + index on (best_m)\n")
	if s := f.status()[0]; s.State != "changed" || !strings.Contains(s.Reason, "`projector reset jumps`") {
		t.Errorf("%+v", s)
	}
	if got := f.fail(ExitStopped, "run", "--once"); !strings.Contains(got, "definition changed") {
		t.Error(got)
	}
}

// A table that somebody has changed is shown with both sides, and stays as it is.
func TestPlanDrift(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("run", "--once")
	f.edit("jumps: int,", "jumps: float,")
	got := f.run("plan", "--sample", "0")
	if !strings.Contains(got, "will not go on until `projector reset jumps`") || !strings.Contains(got, `~ column "jumps": is INTEGER`) {
		t.Error(got)
	}
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	var got plan
	if err := json.Unmarshal([]byte(f.run("plan", "--json", "--sample", "1m")), &got); err != nil {
		t.Fatal(err)
	}
	work := got.Projections[0]
	if work.Seconds <= 0 || work.Seconds > 60 || !strings.Contains(got.Estimated, "jumps 4 events in ") || got.EventStore != "embedded, in memory" {
		t.Errorf("%+v", got)
	}
	work.Seconds = 0
	want := plannedWork{
		Name: "jumps", Action: "build", From: "start", To: "3", Events: 4,
		Tables: []plannedTable{{Name: "jumps", Create: true, Columns: []string{"name text", "jumps int default 0", "best_m float"}}},
	}
	if diff := cmp.Diff(want, work, cmpopts.IgnoreUnexported(plannedWork{})); diff != "" {
		t.Error(diff)
	}
}

// The handlers of a program are not run to learn how long they take; where it starts counts.
func TestPlanOfAProgram(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	own := func(settings ...projector.Setting) Projection {
		return func(client *esclient.Client) *projector.Projection {
			return projector.New("own", eventstore.All(client, eventstore.Filter{Streams: []string{"pony_*"}}),
				projector.On("pony.jumped", func(context.Context, projector.Event[any]) error {
					t.Error("the handler was called")
					return nil
				})).With(settings...)
		}
	}
	for want, p := range map[string]Projection{
		"own: new, reads 4 events, in less than a second\n": own(),
		"own: up to date at ":                               own(projector.StartAtEnd()),
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), f.args("plan", "--sample", "1m"), strings.NewReader(""), &stdout, &stderr, p)
		if code != ExitOK || !strings.Contains(stdout.String(), want) {
			t.Errorf("code %d, want %q\n%s%s", code, want, stdout.String(), stderr.String())
		}
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	log := func(n int64) checkpoint.Position { return checkpoint.AtLog(n, n) }
	for name, test := range map[string]struct {
		s    sample
		w    plannedWork
		want float64
	}{
		"all of it":       {sample{events: 7, took: 2 * time.Second, complete: true}, plannedWork{Events: 7}, 2},
		"by events":       {sample{events: 100, took: time.Second}, plannedWork{Events: 1000}, 10},
		"nothing came":    {sample{took: time.Second}, plannedWork{Events: 1000}, -1},
		"by offset":       {sample{at: log(600), took: time.Second}, plannedWork{Events: -1, from: log(500), to: log(2500)}, 20},
		"from the start":  {sample{at: log(100), took: time.Second}, plannedWork{Events: -1, to: log(2500)}, 25},
		"nowhere":         {sample{at: log(500), took: time.Second}, plannedWork{Events: -1, from: log(500), to: log(2500)}, -1},
		"other positions": {sample{at: checkpoint.AtNumber(5), took: time.Second}, plannedWork{Events: -1, to: log(2500)}, -1},
	} {
		if got := test.s.project(&test.w); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "in less than a second", 1500 * time.Millisecond: "in about 2s", 100 * time.Second: "in about 1m40s", 26 * time.Hour: "in about 1d2h",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
