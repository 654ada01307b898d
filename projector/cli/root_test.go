package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// runCLI runs a command line in this process.
func runCLI(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (write it anew with -update): %s", path, diff)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"help.golden":        {"--help"},
		"help-run.golden":    {"run", "--help"},
		"help-import.golden": {"import", "--help"},
	} {
		code, stdout, stderr := runCLI(t, "", args...)
		if code != ExitOK || stderr != "" {
			t.Errorf("%v: code %d, stderr %q", args, code, stderr)
		}
		golden(t, name, stdout)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(empty, []byte("admin: {listen: off}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`unknown command "rum" for "projector"; did you mean "run"?`:    {"rum"},
		`unknown command "lsit" for "projector parked"; did you mean`:   {"parked", "lsit"},
		"unknown flag: --onec; did you mean --once?":                    {"run", "--onec"},
		"unknown flag: --zzzzzz; see projector run --help":              {"run", "--zzzzzz"},
		`unknown --log-format "xml": want auto, text, json`:             {"run", "--log-format", "xml"},
		"at least one of the flags in the group [json sql] is required": {"schema"},
		`there is no dialect "postgre"; did you mean "postgres"?`:       {"schema", "--sql", "--dialect", "postgre", "--config", "../../projector.yaml"},
		`there is no shell "bahs"; did you mean "bash"?`:                {"completion", "bahs"},
		"NAME is missing; usage: projector show NAME":                   {"show"},
		`unexpected argument "b"; usage: projector show NAME`:           {"show", "a", "b"},
		"there is no file no.yaml here; name one with --config":         {"run", "--config", "no.yaml"},
		empty + " describes no projections":                             {"show", "x", "--config", empty},
		`there is no format "xml"; there are table, json, csv`:          {"show", "x", "--format", "xml"},
		"DATA is not JSON":       {"append", "s", "t", "{"},
		"--metadata is not JSON": {"append", "s", "t", "1", "--metadata", "x"},
		`--id "x" is not a UUID`: {"append", "s", "t", "1", "--id", "x"},
		`--expect wants the number of the last event, any, none`:     {"append", "s", "t", "1", "--expect", "-5"},
		"--max must not be negative":                                 {"read", "s", "--max", "-1"},
		`--from "x": want the number of an event`:                    {"read", "s", "--from", "x"},
		`--from "-1": want the number of an event`:                   {"tail", "s", "--from", "-1"},
		`--from "1/2": only $all has such positions`:                 {"read", "s", "--from", "1/2"},
		"DATA is missing; usage: projector append":                   {"append", "s", "t"},
		"--id is for one event only":                                 {"append", "s", "t", "1", "2", "--id", "01020304-0506-0708-090a-0b0c0d0e0f10"},
		"--lines reads the events from standard input":               {"append", "s", "t", "1", "--lines"},
		"standard input can be the data of one event only":           {"append", "s", "t", "-", "-"},
		"--lines must not be negative":                               {"tail", "s", "-n", "-1"},
		"--user wants name:password":                                 {"node", "--user", "x"},
		`--fsync "sometimes": want always or never`:                  {"node", "--fsync", "sometimes"},
		"--tcp off: the TCP protocol cannot be off":                  {"node", "--tcp", "off"},
		`invalid argument "LOUD" for "--log" flag`:                   {"run", "--log", "LOUD"},
		"database (no valid URL): want sqlite://path or postgres://": {"status", "--config", "../../projector.yaml", "--database", "db"},
	} {
		code, stdout, stderr := runCLI(t, "", args...)
		if code != ExitUsage || stdout != "" || !strings.HasPrefix(stderr, "projector: ") || !strings.Contains(stderr, want) {
			t.Errorf("projector %v: code %d, stdout %q, stderr %q, want code 2 and %q", args, code, stdout, stderr, want)
		}
	}
}

// Every command has an example, which is a valid command line.
func TestExamples(t *testing.T) {
	t.Parallel()
	e := newEnv(nil, io.Discard, io.Discard, nil)
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Name() == "help" {
			return
		}
		lines := exampleLines(c)
		if len(lines) == 0 {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, line := range lines {
			if err := checkCommandLine(line); err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRoot(e))
}

// exampleLines returns the command lines of a command's examples, without comments.
func exampleLines(c *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(c.Example) {
		line, _, _ = strings.Cut(line, "   #")
		if strings.Contains(line, "projector ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

var invocation = regexp.MustCompile(`(?:^|[|(] *)projector ([^|)]*)`)

// checkCommandLine parses each call of projector in a line of a shell.
func checkCommandLine(line string) error {
	calls := invocation.FindAllStringSubmatch(line, -1)
	if len(calls) == 0 {
		return errors.New("calls no projector")
	}
	for _, call := range calls {
		words := splitWords(call[1])
		root := newRoot(newEnv(nil, io.Discard, io.Discard, nil))
		c, args, err := root.Find(words)
		if err == nil {
			err = c.ParseFlags(args)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err != nil || c == root && len(words) > 0 {
			return fmt.Errorf("%v: %w", words, err)
		}
	}
	return nil
}

// splitWords splits at blanks outside of single quotes, up to a redirection.
func splitWords(text string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(text, -1) {
		if m[2] == ">" || m[2] == "<" {
			break
		}
		words = append(words, m[1]+m[2])
	}
	return words
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runCLI(t, "", "version")
	if code != ExitOK || !strings.HasPrefix(stdout, "projector ") || !strings.Contains(stdout, runtime.Version()) {
		t.Errorf("code %d, %q", code, stdout)
	}
	code, flag, _ := runCLI(t, "", "--version")
	if code != ExitOK || flag != stdout {
		t.Errorf("code %d, %q", code, flag)
	}
	var got build
	if _, stdout, _ := runCLI(t, "", "version", "--json"); json.Unmarshal([]byte(stdout), &got) != nil || got.Go != runtime.Version() {
		t.Errorf("%q is %+v", stdout, got)
	}
	b := build{Version: "v1.2.3", Commit: "0123456789abcdef", Time: "2026-01-02T15:04:05Z", Modified: true, Go: "go1.26", OS: "linux", Arch: "arm64"}
	if got, want := b.String(), "projector v1.2.3 (commit 0123456789ab of 2026-01-02T15:04:05Z, modified), go1.26, linux/arm64"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, stdout, stderr := runCLI(t, "", "completion", shell); code != ExitOK || !strings.Contains(stdout, "__complete") || stderr != "" {
			t.Errorf("%s: code %d, %d bytes, %s", shell, code, len(stdout), stderr)
		}
	}
	f := newFolder(t)
	f.extend("views:\n  best: SELECT name FROM jumps\n")
	file := filepath.Join(f.dir, "projector.yaml")
	for want, args := range map[string][]string{
		"jumps\n:4\n":              {"reset", "--config", file, ""},
		"best\njumps\n:4\n":        {"show", "--config", file, ""},
		"table\njson\ncsv\n:4\n":   {"show", "--format", ""},
		"yaml\nyml\n:8\n":          {"run", "--config", ""},
		"status\tPrint state, pos": {"stat"},
	} {
		_, stdout, _ := runCLI(t, "", append([]string{"__complete"}, args...)...)
		if !strings.HasPrefix(stdout, want) {
			t.Errorf("%v: got %q, want %q", args, stdout, want)
		}
	}
	// A file with a mistake completes nothing, and says why where the shell can show it.
	broken := f.write("broken.yaml", "projections: 1\n")
	if _, stdout, _ := runCLI(t, "", "__complete", "show", "--config", broken, ""); !strings.Contains(stdout, "_activeHelp_ "+broken+":1:14") {
		t.Error(stdout)
	}
}
