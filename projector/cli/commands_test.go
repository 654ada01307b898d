package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/eventstore"
)

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
	if text := f.run("status"); !strings.HasPrefix(text, "NAME ") || !strings.Contains(text, "\njumps  stopped  none  3 ") {
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
	if got := f.fail(ExitUsage, "reset", "jump", "--yes"); !strings.Contains(got, `there is no projection "jump"; did you mean "jumps"?`) {
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

// A program's own projections run beside those of the file.
func TestOwnProjection(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	type jump struct{ Name string }
	var names []string
	own := func(client *esclient.Client) *projector.Projection {
		return projector.New("names", eventstore.Stream(client, "other"),
			projector.On("pony.jumped", func(_ context.Context, e projector.Event[jump]) error {
				names = append(names, e.Body.Name)
				return nil
			}))
	}
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), f.args("run", "--once"), strings.NewReader(""), &stdout, &stderr, own)
	if code != ExitOK || !slices.Equal(names, []string{"Nobody"}) {
		t.Errorf("code %d, handled %q\n%s%s", code, names, stdout.String(), stderr.String())
	}
	for _, want := range []string{"jumps: started from the beginning, 3 events", "names: started from the beginning, 1 event handled"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in %s", want, stdout.String())
		}
	}
}

// Beside a process that runs, another one says whose the projections are.
func TestStandby(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var first, second, printed watched
	ended := make(chan int, 2)
	go func() { ended <- Run(ctx, f.args("run"), strings.NewReader(""), &first, &first) }() // ends with ctx
	first.until(t, "live after ")
	if got := f.run("run", "--once"); !strings.Contains(got, "jumps: owned by ") || !strings.Contains(got, ", nothing was done here\n") || !strings.Contains(got, "jumps: 2 rows\n") {
		t.Error(got)
	}
	go func() { ended <- Run(ctx, f.args("run"), strings.NewReader(""), &printed, &second) }() // ends with ctx
	second.until(t, "standing by: other processes own all projections; Ctrl-C ends\n")
	if got := f.fail(ExitError, "reset", "jumps", "--yes"); !strings.HasSuffix(got, "; end that process first\n") {
		t.Error(got)
	}
	interrupt()
	for range 2 {
		if code := <-ended; code != ExitOK {
			t.Errorf("code %d\n%s%s", code, first.String(), second.String())
		}
	}
}
