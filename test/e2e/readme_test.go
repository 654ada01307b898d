//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// What the README shows of its first command is what the command prints.
func TestReadme(t *testing.T) {
	t.Parallel()
	_, shown, _ := strings.Cut(repoFile(t, "README.md"), "$ go run ./cmd/projector run --once\n")
	shown, _, _ = strings.Cut(shown, "\n[")
	if strings.Count(shown, "\n") < 10 {
		t.Fatalf("the README shows too little: %q", shown)
	}
	o := newPlace(t, "projector.yaml").start("run", "--once").wait()
	varying := regexp.MustCompile(`127\.0\.0\.1:\d+|[0-9.]+(s|ms|µs)\b`)
	printed := varying.ReplaceAllString(o.stderr+o.stdout, "…")
	for line := range strings.Lines(varying.ReplaceAllString(shown, "…")) {
		if !strings.Contains(printed, strings.TrimSuffix(line, "\n")) {
			t.Errorf("the README shows, but the command does not print: %s", line)
		}
	}
}
