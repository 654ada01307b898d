package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/photonpump/projector/checkpoint"
)

// TestCases runs the tests of the files in testdata/cases on each store: they are the same everywhere.
func TestCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no cases: ", err)
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
			onEachStore(t, func(t *testing.T, store checkpoint.Store) {
				for _, test := range cfg.Tests {
					if err := test.Run(t.Context(), store); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
