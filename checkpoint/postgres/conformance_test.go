package postgres_test

import (
	"errors"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/checkpointtest"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

func open(t testing.TB, url string, opts ...postgres.Option) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, opts...)
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
		url, schema := pgtest.Schema(t)
		return checkpointtest.Database{Open: func(t *testing.T) checkpoint.Store {
			return open(t, url, postgres.WithSchema(schema))
		}}
	})
}

func BenchmarkStore(b *testing.B) {
	checkpointtest.Bench(b, func(b *testing.B, tables ...*checkpoint.Table) checkpoint.Store {
		url, schema := pgtest.Schema(b)
		s := open(b, url, postgres.WithSchema(schema))
		if err := errors.Join(s.Migrate(b.Context()), s.EnsureTables(b.Context(), tables...)); err != nil {
			b.Fatal(err)
		}
		return s
	})
}
