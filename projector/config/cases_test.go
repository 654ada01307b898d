package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/photonpump/projector/checkpoint"
)

// TestCases runs the tests of the files in testdata/cases on each store: they are the same everywhere.
func TestCases(t *testing.T) {
	t.Parallel()
	runTests(t, "testdata/cases/*.yml")
}

// TestCookbook runs the tests of the examples.
func TestCookbook(t *testing.T) {
	t.Parallel()
	runTests(t, "../../examples/cookbook/*.yaml")
	runTests(t, "../../projector.yaml")
}

func runTests(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal("there are no files: ", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := Parse(file, data, environment)
			if err != nil {
				t.Fatal(err)
			}
			if len(cfg.Tests) == 0 {
				t.Fatal("there are no tests")
			}
			if len(cfg.Warnings) > 0 {
				t.Error(cfg.Warnings)
			}
			onEachStore(t, func(t *testing.T, store checkpoint.Store) {
				_, hasSQL := store.(checkpoint.ViewStore)
				for _, test := range cfg.Tests {
					err := test.Run(t.Context(), store)
					if test.WantsSQL() && !hasSQL {
						if err == nil || !strings.Contains(err.Error(), "wants a database") {
							t.Errorf("got error %v, want one that says why it cannot be run", err)
						}
						continue
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
