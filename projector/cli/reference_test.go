package cli

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run TestReference -update .

// TestReference compares docs/cli.md with the commands. It is written by go generate.
func TestReference(t *testing.T) {
	t.Parallel()
	const file = "../../docs/cli.md"
	if *update {
		if err := os.WriteFile(file, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Reference(), string(got)); diff != "" {
		t.Errorf("%s is not current, run go generate ./projector/cli (-want +got):\n%s", file, diff)
	}
}
