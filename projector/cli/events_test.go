package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// input runs a command that must succeed with something on stdin.
func (f *folder) input(stdin string, args ...string) string {
	f.t.Helper()
	code, stdout, stderr := runCLI(f.t, stdin, f.args(args...)...)
	if code != ExitOK {
		f.t.Fatalf("projector %s: code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

func TestAppendSeveral(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if got, want := f.run("append", "s", "t", "1", "2", "3"), "appended 3 t as events 0 to 2 of s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := f.input(`{"a": 1}`, "append", "s", "t", "-", "4"), "appended 2 t as events 3 to 4 of s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := f.input("5\n\n6\n7", "append", "s", "t", "--lines", "--expect", "4"), "appended 3 t as events 5 to 7 of s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var line appendLine
	if err := json.Unmarshal([]byte(f.run("append", "s", "t", "8", "--json")), &line); err != nil {
		t.Fatal(err)
	}
	if line.Stream != "s" || line.First != 8 || line.Last != 8 || !strings.Contains(line.Position, "/") {
		t.Errorf("%+v", line)
	}
	// All or none, but for --lines.
	if got := f.fail(ExitUsage, "append", "s", "t", "9", "{"); !strings.Contains(got, "DATA is not JSON") {
		t.Error(got)
	}
	code, stdout, stderr := runCLI(t, "9\n{\n10\n", f.args("append", "s", "t", "--lines")...)
	if code != ExitError || stdout != "appended t as event 9 of s\n" || !strings.Contains(stderr, "standard input:2: not JSON: ") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	want := "0@s  t  1\n1@s  t  2\n2@s  t  3\n3@s  t  {\"a\": 1}\n4@s  t  4\n5@s  t  5\n6@s  t  6\n7@s  t  7\n8@s  t  8\n9@s  t  9\n"
	if got := f.run("read", "s"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestReadOptions(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"from":              {[]string{"pony_stream", "--from", "2", "--max", "1"}, "2@pony_stream  pony.jumped  {\"name\":\"Rowan\",\"height_m\":0.75}\n"},
		"type":              {[]string{"pony_stream", "--type", "pony.b*"}, "0@pony_stream  pony.born  {\"name\":\"Ivy\"}\n"},
		"types":             {[]string{"pony_stream", "--type", "pony.born", "--type", "nothing"}, "0@pony_stream  pony.born  {\"name\":\"Ivy\"}\n"},
		"type, max":         {[]string{"pony_stream", "--type", "*.jumped", "--max", "1"}, "1@pony_stream  pony.jumped  {\"name\":\"Ivy\",\"height_m\":0.6}\n"},
		"backward and type": {[]string{"pony_stream", "--type", "pony.born", "--backward", "--max", "1"}, "0@pony_stream  pony.born  {\"name\":\"Ivy\"}\n"},
		"all":               {[]string{"$all", "--type", "pony.*", "--max", "1", "--backward"}, "3@pony_stream  pony.jumped  {\"name\":\"Ivy\",\"height_m\":0.5}\n"},
	} {
		if got := f.run(append([]string{"read"}, test.args...)...); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	// A position that --json prints is one to begin with.
	var line struct{ Position string }
	if err := json.Unmarshal([]byte(f.run("read", "$all", "--json", "--type", "pony.jumped", "--max", "1")), &line); err != nil {
		t.Fatal(err)
	}
	if got, want := f.run("read", "$all", "--from", line.Position, "--max", "1"), "1@pony_stream  pony.jumped  {\"name\":\"Ivy\",\"height_m\":0.6}\n"; got != want {
		t.Errorf("from %s: got %q, want %q", line.Position, got, want)
	}
}

// tail begins where it is told to, and shows what comes, of the types that were asked for.
func TestTailOptions(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var host watched // so that all tails share one event store
	hosted := make(chan int, 1)
	go func() { hosted <- Run(ctx, f.args("node", "--http", "off"), strings.NewReader(""), &host, &host) }() // ends with ctx
	host.until(t, "event store tcp://")
	type tail struct {
		out   watched
		ended chan int
	}
	tails := map[string]*tail{}
	for name, args := range map[string][]string{
		"from":     {"pony_stream", "--from", "2"},
		"later":    {"pony_stream", "--from", "4"},
		"type":     {"pony_stream", "-n", "1", "--type", "pony.born"},
		"all":      {"$all", "-n", "0", "--type", "pony.jumped"},
		"new":      {"new"},
		"all from": {"$all", "--from", "0", "--type", "pony.born"},
	} {
		tl := &tail{ended: make(chan int, 1)}
		tails[name] = tl
		go func() {
			tl.ended <- Run(ctx, f.args(append([]string{"tail"}, args...)...), strings.NewReader(""), &tl.out, &tl.out)
		}() // ends with ctx
	}
	// These have printed what was there before.
	tails["from"].out.until(t, "3@pony_stream")
	tails["type"].out.until(t, "0@pony_stream")
	tails["all from"].out.until(t, "0@pony_stream")
	const jumped, born = "{\"name\":\"New\",\"height_m\":1}", "{\"name\":\"New\"}"
	f.append("pony.jumped", jumped) // 4; "all" may begin after it
	f.append("pony.born", born)     // 5
	f.run("append", "new", "t", "1")
	tails["new"].out.until(t, "0@new  t  1\n")
	for !strings.Contains(tails["all"].out.String(), "pony.jumped") { // until it is there
		f.append("pony.jumped", jumped)
	}
	tails["from"].out.until(t, "5@pony_stream")
	tails["later"].out.until(t, "5@pony_stream")
	tails["type"].out.until(t, "5@pony_stream")
	tails["all from"].out.until(t, "5@pony_stream")
	stop()
	for name, tl := range tails {
		if code := <-tl.ended; code != ExitOK {
			t.Errorf("%s: code %d: %s", name, code, tl.out.String())
		}
	}
	<-hosted
	for name, want := range map[string]string{
		"from":     "2@pony_stream  pony.jumped  {\"name\":\"Rowan\",\"height_m\":0.75}\n3@pony_stream",
		"later":    "4@pony_stream  pony.jumped  " + jumped + "\n5@pony_stream",
		"type":     "0@pony_stream  pony.born  {\"name\":\"Ivy\"}\n5@pony_stream  pony.born  " + born + "\n",
		"all from": "0@pony_stream  pony.born  {\"name\":\"Ivy\"}\n5@pony_stream  pony.born  " + born + "\n",
	} {
		if got := tails[name].out.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q at its start", name, got, want)
		}
	}
}

// Standard input is imported like a file, plain or compressed, and leaves nothing behind.
func TestImportFromStdin(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := newFolder(t)
	const lines = `{"stream":"a","type":"t","data":1}` + "\n" + `{"stream":"b","type":"t","data":2}` + "\n"
	took := regexp.MustCompile(` in [0-9.]+[mµ]?s`)
	if got, want := took.ReplaceAllString(f.input(lines, "import", "-"), ""), "standard input: 2 events appended to 2 streams\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write([]byte(lines)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := f.input(compressed.String(), "import", "-", "--json"), `{"events":2,"appended":0,"streams":2}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	code, _, stderr := runCLI(t, "{}\n", f.args("import", "-")...)
	if code != ExitError || !strings.Contains(stderr, "standard input:1: no stream; want ") {
		t.Errorf("code %d: %s", code, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "projector-import-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
