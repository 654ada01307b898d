package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector/source/eventstore"

	"github.com/photonpump/projector/esclient"
)

func (f *folder) status(args ...string) []statusLine {
	f.t.Helper()
	var lines []statusLine
	if err := json.Unmarshal([]byte(f.run(append([]string{"status", "--json"}, args...)...)), &lines); err != nil {
		f.t.Fatal(err)
	}
	return lines
}

// The lag is counted where the event store answers, and not known where it does not: never a false 0.
func TestStatusLag(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("run", "--once")
	if s := f.status()[0]; s.LagEvents != 0 || s.LagSeconds != 0 || s.LagReason != "" {
		t.Errorf("at the end: %+v", s)
	}
	f.append("pony.jumped", `{"name":"Ivy","height_m":1}`)
	f.append("pony.jumped", `{"name":"Ivy","height_m":1}`)
	if s := f.status()[0]; s.LagEvents != 2 || s.LagSeconds <= 0 || s.LagSeconds > 3600 {
		t.Errorf("two events later: %+v", s)
	}
	if text := f.run("status"); !strings.Contains(text, "  2 events, ") {
		t.Error(text)
	}
	s := f.status("--timeout", "0")[0]
	if s.LagEvents != -1 || s.LagSeconds != -1 || !strings.Contains(s.LagReason, "not asked") {
		t.Errorf("not asked: %+v", s)
	}
	s = f.status("--eventstore", "tcp://127.0.0.1:1")[0]
	if s.LagEvents != -1 || s.LagSeconds != -1 || !strings.Contains(s.LagReason, "refused") {
		t.Errorf("away: %+v", s)
	}
	code, stdout, stderr := runCLI(t, "", f.args("status", "--eventstore", "tcp://127.0.0.1:1")...)
	if code != ExitOK || !strings.Contains(stdout, "not known") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "lag not known: ") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}

func TestMeasureLag(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	client, err := esclient.Dial(t.Context(), node.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begin := time.Now()
	for _, stream := range []string{"a-1", "a-2", "b-1"} {
		if _, err := client.Append(t.Context(), stream, esclient.Any, esclient.NewEvent{Type: "t", Body: 1}); err != nil {
			t.Fatal(err)
		}
	}
	all := eventstore.All(client, eventstore.Filter{Streams: []string{"a-*"}})
	head, err := all.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l := measureLag(t.Context(), all, checkpoint.Position{}); l.err != nil || l.events != 2 || l.age <= 0 || l.age > time.Since(begin)+time.Second {
		t.Errorf("all of it: %+v", l)
	}
	if l := measureLag(t.Context(), all, head); l != (lag{}) {
		t.Errorf("at the end: %+v", l)
	}
	sub, err := all.Subscribe(t.Context(), checkpoint.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close() //nolint:errcheck // of a test
	b, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The event of b-1 is of no concern to the source.
	if l := measureLag(t.Context(), all, b.Events[1].Position); l != (lag{}) {
		t.Errorf("nothing of ours: %+v", l)
	}
	if l := measureLag(t.Context(), eventstore.Stream(client, "a-1"), checkpoint.AtNumber(7)); l.events != -1 || l.age != -1 || l.err == nil {
		t.Errorf("beyond the end: %+v", l)
	}
}

// Commands that only look make no database, and say what there is.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, args := range [][]string{
		{"status"}, {"show", "jumps"}, {"parked", "list", "jumps"}, {"parked", "retry", "jumps"}, {"reset", "jumps", "--yes"},
	} {
		if got := f.fail(ExitError, args...); !strings.Contains(got, "does not exist") || !strings.Contains(got, "`projector run` makes it") || strings.Count(got, "\n") != 1 {
			t.Errorf("%v: %s", args, got)
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "projector.db")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a database was made: %v", err)
	}
	f.run("run", "--once")
	dir := filepath.ToSlash(f.dir)
	got := f.fail(ExitError, "status", "--database", "sqlite://"+dir+"/projectr.db")
	if !strings.Contains(got, "did you mean sqlite://"+dir+"/projector.db?") {
		t.Error(got)
	}
	if got := f.fail(ExitError, "status", "--database", "sqlite://"+dir+"/date/x.db"); !strings.Contains(got, "there is no directory ") {
		t.Error(got)
	}
	if files, err := filepath.Glob(filepath.Join(f.dir, "*.db*")); err != nil || len(files) != 1 {
		t.Errorf("there is %v, %v", files, err)
	}
}

func TestDatabaseWithoutTables(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	url := pgtest.Database(t)
	for _, args := range [][]string{{"status"}, {"show", "jumps"}, {"parked", "list", "jumps"}} {
		if got := f.fail(ExitError, append(args, "--database", url)...); !strings.Contains(got, "nothing has run here yet; `projector run` makes them") {
			t.Errorf("%v: %s", args, got)
		}
	}
	f.run("run", "--once", "--database", url)
	if s := f.status("--database", url)[0]; s.Handled != 3 || s.LagEvents != 0 {
		t.Errorf("%+v", s)
	}
}
