package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		`unknown command "rum" for "projector"`:                      {"rum"},
		"unknown flag: --onec":                                       {"run", "--onec"},
		"NAME is missing; usage: projector show NAME":                {"show"},
		`unexpected argument "b"; usage: projector show NAME`:        {"show", "a", "b"},
		"there is no file no.yaml here; name one with --config":      {"run", "--config", "no.yaml"},
		empty + " describes no projections":                          {"show", "x", "--config", empty},
		`unknown format "xml": want table, json, csv`:                {"show", "x", "--format", "xml"},
		"DATA is not JSON":                                           {"append", "s", "t", "{"},
		"--metadata is not JSON":                                     {"append", "s", "t", "1", "--metadata", "x"},
		`--id "x" is not a UUID`:                                     {"append", "s", "t", "1", "--id", "x"},
		`--expect wants the number of the last event, any, none`:     {"append", "s", "t", "1", "--expect", "-5"},
		"--from and --max must not be negative":                      {"read", "s", "--max", "-1"},
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
