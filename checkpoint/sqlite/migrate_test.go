package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

func migrating(t *testing.T) (s *Store, exec func(sql string)) {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, func(sql string) {
		t.Helper()
		if err := s.writer.tx(t.Context(), func() error { return s.writer.run(t.Context(), sql) }); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// TestMigrateFromEveryVersion checks that what a release has stored is there in the next, and that the earlier release
// can still use the tables.
func TestMigrateFromEveryVersion(t *testing.T) {
	t.Parallel()
	for from := range len(migrations()) {
		s, exec := migrating(t)
		exec(versionTable)
		for _, step := range migrations()[:from] {
			exec(step.statements)
		}
		if from > 0 {
			exec(fmt.Sprintf(`INSERT INTO projector_version (version, oldest) VALUES (%d, 1)`, from))
			exec(`INSERT INTO projector_projections (name, epoch, position, handled, updated) VALUES ('p', 7, '41', 42, 0)`)
		}
		if err := s.Check(t.Context()); !errors.Is(err, checkpoint.ErrNotMigrated) {
			t.Fatalf("from version %d: got error %v, want %v", from, err, checkpoint.ErrNotMigrated)
		}
		for range 2 {
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatalf("from version %d: %v", from, err)
			}
		}
		lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if from > 0 && (lease.Epoch() != 8 || lease.Position() != checkpoint.AtNumber(41)) {
			t.Fatalf("from version %d: epoch %d, position %v", from, lease.Epoch(), lease.Position())
		}
		exec(`INSERT INTO projector_projections (name, epoch, position, updated) VALUES ('by the earlier release', 1, 'start', 0)`)
	}
}

func TestMigrateMeetsALaterRelease(t *testing.T) {
	t.Parallel()
	s, exec := migrating(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(`UPDATE projector_version SET version = 99`)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("a later release that this one can work with: %v", err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("a later release that this one can work with: %v", err)
	}
	exec(`UPDATE projector_version SET oldest = 98`)
	if err := s.Check(t.Context()); !errors.Is(err, checkpoint.ErrVersion) {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrVersion)
	}
	if err := s.Migrate(t.Context()); !errors.Is(err, checkpoint.ErrVersion) || s.Classify(err) != checkpoint.ClassConfiguration {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrVersion)
	}
}

func TestDDL(t *testing.T) {
	t.Parallel()
	s, exec := migrating(t)
	table := &checkpoint.Table{
		Name: "t", Key: []string{"k"}, Indexes: []checkpoint.Index{{Columns: []string{"v", "k"}, Unique: true}},
		Columns: []checkpoint.Column{{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}}, {Name: "v", Type: checkpoint.Type{Base: checkpoint.Decimal, List: true}}},
	}
	ddl, err := DDL(table)
	if err != nil {
		t.Fatal(err)
	}
	exec(ddl)
	if err := errors.Join(s.Migrate(t.Context()), s.EnsureTables(t.Context(), table)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := DDL(&checkpoint.Table{}); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrInvalid)
	}
}
