package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/checkpointtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
)

func TestMain(m *testing.M) {
	if path, name, ok := strings.Cut(os.Getenv(childEnv), "|"); ok {
		if err := child(path, name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, func(t *testing.T) checkpointtest.Database {
		path := filepath.Join(t.TempDir(), "a file with ?#%20 in it.db")
		return checkpointtest.Database{Open: func(t *testing.T) checkpoint.Store { return open(t, path) }}
	})
}

func BenchmarkStore(b *testing.B) {
	checkpointtest.Bench(b, func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store {
		s := open(b, filepath.Join(b.TempDir(), "bench.db"))
		if err := errors.Join(s.Migrate(b.Context()), s.EnsureTables(b.Context(), tables...)); err != nil {
			b.Fatal(err)
		}
		return s
	})
}
