package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/esclient/esnode"
)

const threePonies = `{"stream":"pony_stream","type":"pony.born","data":{"name":"Ivy"}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Ivy","height_m":0.6}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Rowan","height_m":0.75}}
{"stream":"other","type":"pony.jumped","data":{"name":"Nobody","height_m":9}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Ivy","height_m":0.5}}
`

// folder is a place with a configuration whose paths are all inside it.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir()}
	f.write("events.jsonl", threePonies)
	f.write("projector.yaml", fmt.Sprintf(`
eventstore:
  embedded:
    dir: %[1]s/eventstore
    tcp: 127.0.0.1:0
    http: 127.0.0.1:0
    fsync: never
    seed: %[1]s/events.jsonl
database: {url: "sqlite://%[1]s/projector.db"}
admin: {listen: 127.0.0.1:0}
projections:
  jumps:
    source: {stream: pony_stream}
    key: body.name
    table:
      columns: {name: text, jumps: int, best_m: float}
      primary_key: name
    on:
      pony.jumped:
        increment: {jumps: 1}
        max: {best_m: body.height_m}
    retry: {attempts: 1}
`, filepath.ToSlash(f.dir)))
	return f
}

func (f *folder) write(name, content string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// extend adds to the configuration.
func (f *folder) extend(yaml string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "projector.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("projector.yaml", string(b)+yaml)
}

// append appends an event to pony_stream.
func (f *folder) append(eventType, data string) {
	f.t.Helper()
	f.run("append", "pony_stream", eventType, data)
}

func (f *folder) args(args ...string) []string {
	return append(args, "--config", filepath.Join(f.dir, "projector.yaml"), "--log", "WARN")
}

// run runs a command that must succeed and returns its stdout.
func (f *folder) run(args ...string) string {
	f.t.Helper()
	code, stdout, stderr := runCLI(f.t, "", f.args(args...)...)
	if code != ExitOK {
		f.t.Fatalf("projector %s: code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// fail runs a command that must fail and returns its stderr.
func (f *folder) fail(want int, args ...string) string {
	f.t.Helper()
	code, stdout, stderr := runCLI(f.t, "", f.args(args...)...)
	if code != want {
		f.t.Fatalf("projector %s: code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stderr
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	golden(t, "run-once.golden", f.run("run", "--once"))
	golden(t, "run-again.golden", f.run("run", "--once"))
	golden(t, "show.json.golden", f.run("show", "jumps", "--format", "json"))
	golden(t, "show.csv.golden", f.run("show", "jumps", "--format", "csv", "--limit", "1"))

	var status []statusLine
	if err := json.Unmarshal([]byte(f.run("status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	if s := status[0]; len(status) != 1 || s.Name != "jumps" || s.State != "stopped" || s.Position != "3" || s.Handled != 3 || s.Ignored != 1 {
		t.Errorf("status: %+v", status)
	}
	if text := f.run("status"); !strings.HasPrefix(text, "NAME ") || !strings.Contains(text, "\njumps  stopped  3 ") {
		t.Error(text)
	}
}

func TestAppendReadTail(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	golden(t, "append.golden", f.run("append", "pony_stream", "pony.jumped", `{"name":"Ivy","height_m":1}`, "--expect", "3",
		"--metadata", `{"keeper":"ada"}`, "--id", "01020304-0506-0708-090a-0b0c0d0e0f10"))
	if got := f.fail(ExitError, "append", "pony_stream", "t", "1", "--expect", "3"); !strings.Contains(got, "wrong expected version") {
		t.Error(got)
	}
	golden(t, "read.golden", f.run("read", "pony_stream", "--from", "3"))
	golden(t, "read-backward.golden", f.run("read", "pony_stream", "--backward", "--max", "2"))
	if got := f.fail(ExitError, "read", "nothing"); !strings.Contains(got, "nothing") {
		t.Error(got)
	}

	line := f.run("read", "pony_stream", "--backward", "--max", "1", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "created")
	delete(got, "position")
	want := map[string]any{
		"stream": "pony_stream", "number": 4.0, "type": "pony.jumped", "id": "01020304-0506-0708-090a-0b0c0d0e0f10",
		"data": map[string]any{"name": "Ivy", "height_m": 1.0}, "metadata": map[string]any{"keeper": "ada"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAppendFromStdin(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	code, _, stderr := runCLI(t, `{"a": 1}`, f.args("append", "s", "t", "-")...)
	if code != ExitOK {
		t.Fatal(stderr)
	}
	if got, want := f.run("read", "s"), "0@s  t  {\"a\": 1}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What read prints is what import reads.
func TestImport(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	lines := f.run("read", "pony_stream", "--json")
	other := newFolder(t)
	copied := other.write("copy.jsonl", strings.ReplaceAll(lines, `"pony_stream"`, `"copy"`))
	took := regexp.MustCompile(` in [0-9.]+[mµ]?s`)
	if got, want := took.ReplaceAllString(other.run("import", copied), ""), copied+": 4 events appended to 1 stream\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := other.run("import", copied), copied+": all 4 events were there already\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	again := strings.ReplaceAll(other.run("read", "copy", "--json"), `"copy"`, `"pony_stream"`)
	strip := regexp.MustCompile(`"(created|position)":"[^"]*",?`)
	if diff := cmp.Diff(strip.ReplaceAllString(lines, ""), strip.ReplaceAllString(again, "")); diff != "" {
		t.Error(diff)
	}

	foreign := other.write("foreign.jsonl", `{"stream":"copy","type":"t","data":1}`)
	if got := other.fail(ExitError, "import", foreign); !strings.Contains(got, "use --append") {
		t.Error(got)
	}
	other.run("import", foreign, "--append")
	if got := other.run("import", foreign, "--append"); !strings.Contains(got, "were there already") {
		t.Error(got)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("run", "--once")
	code, _, stderr := runCLI(t, "n\n", f.args("reset", "jumps")...)
	if code != ExitError || !strings.Contains(stderr, "This empties jumps (2 rows) and forgets the position of projection jumps. Go on? [y/N]") {
		t.Errorf("code %d: %s", code, stderr)
	}
	if got := f.run("show", "jumps", "--format", "csv"); strings.Count(got, "\n") != 3 {
		t.Errorf("after no: %s", got)
	}
	if code, _, stderr = runCLI(t, "y\n", f.args("reset", "jumps")...); code != ExitOK {
		t.Error(stderr)
	}
	if got := f.run("show", "jumps", "--format", "csv"); got != "name,jumps,best_m\n" {
		t.Errorf("after yes: %s", got)
	}
	golden(t, "run-once.golden", f.run("run", "--once"))
	if got := f.fail(ExitUsage, "reset", "jump", "--yes"); !strings.Contains(got, `there is no projection "jump"; there are jumps`) {
		t.Error(got)
	}
}

// A projection that stops makes the exit code 3, and does not keep the others from ending.
func TestStopped(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.run("append", "pony_stream", "pony.jumped", `{"name":["no","name"]}`)
	if got := f.fail(ExitStopped, "run", "--once"); !strings.Contains(got, "jumps") || !strings.Contains(got, "4@pony_stream") {
		t.Error(got)
	}
}

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

func TestPlan(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	want := func(want string) {
		t.Helper()
		if got := f.run("plan"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want("jumps: new, reads 4 events\n  makes table jumps\n")
	f.run("run", "--once")
	want("jumps: up to date at 3\n  table jumps has 2 rows\n")
	f.append("pony.jumped", `{"name":"Ivy","height_m":1}`)
	want("jumps: goes on after 3, reads 1 event\n  table jumps has 2 rows\n")
	b, err := os.ReadFile(filepath.Join(f.dir, "projector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("projector.yaml", strings.Replace(string(b), "{jumps: 1}", "{jumps: 2}", 1))
	want("jumps: changed; will not go on until `projector reset jumps`, then reads 5 events\n  table jumps has 2 rows\n")
	if got := f.fail(ExitStopped, "run", "--once"); !strings.Contains(got, "definition changed") {
		t.Error(got)
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

func TestSchema(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runCLI(t, "", "schema")
	if code != ExitOK || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, `"projections"`) {
		t.Errorf("code %d, %s", code, stdout)
	}
}

func TestDDL(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if got := f.run("ddl"); !strings.Contains(got, "CREATE TABLE projector_projections") || !strings.Contains(got, `CREATE TABLE "jumps"`) {
		t.Error(got)
	}
	got := f.run("ddl", "--database", "postgres://nobody@nowhere.invalid/x")
	if !strings.Contains(got, `CREATE TABLE "public".projector_projections`) || !strings.Contains(got, `CREATE TABLE "public"."jumps"`) {
		t.Error(got)
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

// A process that runs is used by the commands beside it, and ends in order.
func TestLive(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr watched
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, f.args("run"), strings.NewReader(""), &stdout, &stderr) }() // ends with ctx
	stderr.until(t, "Ctrl-C ends")

	tailCtx, stopTail := context.WithCancel(t.Context())
	defer stopTail()
	var tailed, tailErr watched
	tailEnded := make(chan int, 1)
	go func() {
		tailEnded <- Run(tailCtx, f.args("tail", "pony_stream", "-n", "1"), strings.NewReader(""), &tailed, &tailErr)
	}() // ends with tailCtx
	tailed.until(t, "3@pony_stream")
	if got := f.run("append", "pony_stream", "pony.jumped", `{"name":"Ivy","height_m":2}`); got != "appended pony.jumped as event 4 of pony_stream\n" {
		t.Error(got)
	}
	tailed.until(t, "4@pony_stream  pony.jumped  {\"name\":\"Ivy\",\"height_m\":2}\n")
	stopTail()
	if code := <-tailEnded; code != ExitOK {
		t.Errorf("tail: code %d: %s", code, tailErr.String())
	}
	for !strings.Contains(f.run("show", "jumps", "--format", "csv"), "Ivy,3,2\n") { // until it is there
	}
	if got := f.fail(ExitError, "reset", "jumps", "--yes"); !strings.Contains(got, "held by another owner") {
		t.Error(got)
	}
	interrupt()
	if code := <-ended; code != ExitOK {
		t.Errorf("run: code %d: %s", code, stderr.String())
	}
	if got := stdout.String(); got != "jumps: started from the beginning, 4 events handled, 1 ignored (no rule for their types), now at 4\n" {
		t.Error(got)
	}
}

// With --eventstore, nothing is seeded.
func TestRemoteEventStore(t *testing.T) {
	t.Parallel()
	node, err := esnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	f := newFolder(t)
	f.run("append", "pony_stream", "pony.jumped", `{"name":"Ivy","height_m":2}`, "--eventstore", node.URL())
	if got, want := f.run("read", "pony_stream", "--eventstore", node.URL()), "0@pony_stream  pony.jumped  {\"name\":\"Ivy\",\"height_m\":2}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.run("run", "--once", "--eventstore", node.URL()); !strings.Contains(got, "1 event handled") {
		t.Error(got)
	}
}

// watched is an output that tests wait for.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.more != nil {
		close(w.more)
		w.more = nil
	}
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// until returns when the output contains a text.
func (w *watched) until(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		w.mu.Lock()
		if w.more == nil {
			w.more = make(chan struct{})
		}
		got, more := w.text.String(), w.more
		w.mu.Unlock()
		if strings.Contains(got, text) {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("never saw %q in %q", text, got)
		}
	}
}
