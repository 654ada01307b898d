// Package readme checks that what the README shows works.
package readme

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/photonpump/projector/projector/config"
)

// blocks returns the code blocks of a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		found = append(found, string(m[1]))
	}
	if len(found) == 0 {
		t.Fatalf("the README has no %s block", language)
	}
	return found
}

func TestGo(t *testing.T) {
	t.Parallel()
	for _, code := range blocks(t, "go") {
		program := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(program, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		here, err := filepath.Abs("program/main.go") // which exists only in the overlay
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: program}})
		if err != nil {
			t.Fatal(err)
		}
		overlayFile := filepath.Join(t.TempDir(), "overlay.json")
		if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlayFile, "-o", os.DevNull, "./program")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestYAML(t *testing.T) {
	t.Parallel()
	for _, text := range blocks(t, "yaml") {
		cfg, err := config.Parse("README.md", []byte(text), os.LookupEnv)
		if err != nil {
			t.Error(err)
		} else if len(cfg.Projections) == 0 {
			t.Error("the YAML block describes no projections")
		}
	}
}
