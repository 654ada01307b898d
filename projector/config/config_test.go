package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/memory"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
)

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

// onEachStore runs a test on every kind of store.
func onEachStore(t *testing.T, test func(t *testing.T, store checkpoint.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, memory.Open())
	})
	onEachDatabase(t, test)
}

// onEachDatabase runs a test on every kind of store with SQL.
func onEachDatabase(t *testing.T, test func(t *testing.T, store checkpoint.Store)) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) (checkpoint.Store, error){
		"sqlite": func(t *testing.T) (checkpoint.Store, error) {
			return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
		},
		"postgres": func(t *testing.T) (checkpoint.Store, error) {
			url, schema := pgtest.Schema(t)
			return postgres.Open(t.Context(), url, postgres.WithSchema(schema))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, store)
		})
	}
}

// environment is what ${VAR} finds in tests.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"PGPASSWORD": "opensesame", "STREAM": "pony_stream"}[name]
	return v, ok
}

// TestBad loads files with one mistake each. The first lines of a file say what must be reported.
func TestBad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Fatalf("found %d files", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				text, ok := strings.CutPrefix(line, "# want ")
				if !ok {
					break
				}
				want = append(want, strings.TrimSpace(text))
			}
			cfg, err := Parse("f.yml", data, environment)
			if err == nil {
				t.Fatalf("loaded: %+v", cfg)
			}
			var mistakes Mistakes
			if !errors.As(err, &mistakes) {
				t.Errorf("got a %T", err)
			}
			if got := strings.ReplaceAll(err.Error(), "f.yml:", ""); got != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// TestGood loads files that must be right.
func TestGood(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.good.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("found %d files", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(file, data, environment); err != nil {
				t.Error(err)
			}
		})
	}
}
