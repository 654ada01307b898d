package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// migrating opens a store in a schema that does not exist yet.
func migrating(t *testing.T) (s *Store, schema string, exec func(sql string)) {
	t.Helper()
	url, name := pgtest.Schema(t)
	s, err := Open(t.Context(), url, WithSchema(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, quote(name), func(sql string) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// TestMigrateFromEveryVersion checks that what a release has stored is there in the next, and that the earlier release
// can still use the tables.
func TestMigrateFromEveryVersion(t *testing.T) {
	t.Parallel()
	for from := range len(migrations("")) {
		s, schema, exec := migrating(t)
		exec("CREATE SCHEMA " + schema + ";" + versionTable(schema))
		for _, step := range migrations(schema)[:from] {
			exec(step.statements)
		}
		if from > 0 {
			exec(`INSERT INTO ` + schema + `.projector_version (version, oldest) VALUES (` + string(rune('0'+from)) + `, 1)`)
			exec(`INSERT INTO ` + schema + `.projector_projections (name, epoch, position, handled) VALUES ('p', 7, '41', 42)`)
		}
		if err := s.Check(t.Context()); !errors.Is(err, checkpoint.ErrNotMigrated) {
			t.Fatalf("from version %d: got error %v, want %v", from, err, checkpoint.ErrNotMigrated)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("from version %d: %v", from, err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if from > 0 && (lease.Epoch() != 8 || lease.Position() != checkpoint.AtNumber(41)) {
			t.Fatalf("from version %d: epoch %d, position %v", from, lease.Epoch(), lease.Position())
		}
		exec(`INSERT INTO ` + schema + `.projector_projections (name, epoch, position) VALUES ('by the earlier release', 1, 'start')`)
	}
}

func TestMigrateMeetsALaterRelease(t *testing.T) {
	t.Parallel()
	s, schema, exec := migrating(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(`UPDATE ` + schema + `.projector_version SET version = 99`)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("a later release that this one can work with: %v", err)
	}
	exec(`UPDATE ` + schema + `.projector_version SET oldest = 98`)
	if err := s.Migrate(t.Context()); !errors.Is(err, checkpoint.ErrVersion) || s.Classify(err) != checkpoint.ClassConfiguration {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrVersion)
	}
}

// TestDDL runs what DDL prints, and checks that all then works without the right to create anything.
func TestDDL(t *testing.T) {
	t.Parallel()
	owner, schema, exec := migrating(t)
	table := &checkpoint.Table{
		Name: "t", Key: []string{"k"}, Indexes: []checkpoint.Index{{Columns: []string{"v", "k"}, Unique: true}},
		Columns: []checkpoint.Column{{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}}, {Name: "v", Type: checkpoint.Type{Base: checkpoint.Decimal, List: true}}},
	}
	ddl, err := DDL(owner.schema, table)
	if err != nil {
		t.Fatal(err)
	}
	exec(ddl)
	exec(`CREATE ROLE ` + schema + ` NOLOGIN; GRANT USAGE ON SCHEMA ` + schema + ` TO ` + schema + `;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ` + schema + ` TO ` + schema)
	defer exec(`DROP OWNED BY ` + schema + `; DROP ROLE ` + schema)
	config := owner.pool.Config()
	config.ConnConfig.RuntimeParams["role"] = owner.schema
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s, err := New(pool, WithSchema(owner.schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	change := checkpoint.Change{To: checkpoint.AtNumber(1), Parking: checkpoint.Parking{Park: []checkpoint.Parked{{Key: "k"}}}}
	if err := lease.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), "p", checkpoint.Command{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureTables(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	table.Name = "another"
	if err := s.EnsureTables(t.Context(), table); s.Classify(err) != checkpoint.ClassConfiguration {
		t.Fatalf("got error %v of class %v, want one about the right to create a table", err, s.Classify(err))
	}
	if _, err := DDL("", &checkpoint.Table{}); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Fatalf("got error %v, want %v", err, checkpoint.ErrInvalid)
	}
}
