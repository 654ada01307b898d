package esclient_test

import (
	"os"
	"strings"
	"testing"
)

// TestMigrationPage makes sure that every piece of Go in the page is one of the examples, which are compiled and run.
func TestMigrationPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/from-photonpump.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	examples := flat(string(source))
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 12 {
		t.Errorf("%d pieces of Go, want 12 at least", len(blocks))
	}
	for _, b := range blocks {
		code, _, ok := strings.Cut(b, "```")
		if !ok || strings.TrimSpace(code) == "" {
			t.Error("a piece of Go does not end, or is empty")
			continue
		}
		if !strings.Contains(examples, flat(code)) {
			t.Errorf("not an example:\n%s", code)
		}
	}
}

// flat removes indentation and empty lines.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
