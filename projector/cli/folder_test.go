package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const threePonies = `{"stream":"pony_stream","type":"pony.born","data":{"name":"Ivy"}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Ivy","height_m":0.6}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Rowan","height_m":0.75}}
{"stream":"other","type":"pony.jumped","data":{"name":"Nobody","height_m":9}}
{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Ivy","height_m":0.5}}
`

// folder is a place with a configuration whose paths are all inside it.
type folder struct {
	t          *testing.T
	dir        string
	eventStore string // URL of one of its own, see startStore
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
