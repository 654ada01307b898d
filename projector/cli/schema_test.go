package cli

import (
	"database/sql"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

func TestSchemaOfTheFile(t *testing.T) {
	t.Parallel()
	code, stdout, _ := runCLI(t, "", "schema", "--json")
	if code != ExitOK || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, `"projections"`) {
		t.Errorf("code %d, %s", code, stdout)
	}
}

func newFolderWithView(t *testing.T) *folder {
	t.Helper()
	f := newFolder(t)
	f.extend("views:\n  best: SELECT name FROM jumps WHERE name <> 'it''s' ORDER BY best_m DESC LIMIT 1\n")
	return f
}

// After the printed SQL, run has nothing to make.
func TestSchemaOfSQLite(t *testing.T) {
	t.Parallel()
	f := newFolderWithView(t)
	ddl := f.run("schema", "--sql")
	path := filepath.Join(f.dir, "projector.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "PRAGMA journal_mode = WAL;"+ddl); err != nil {
		t.Fatalf("%v in\n%s", err, ddl)
	}
	objects := func() (n int) {
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := objects()
	if got := f.run("plan", "--sample", "0"); got != "jumps: new, reads 4 events\n    table jumps has 0 rows\n" {
		t.Error(got)
	}
	f.run("run", "--once")
	if after := objects(); after != before {
		t.Errorf("there were %d tables, indexes and views, run has made it %d", before, after)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// With the printed SQL, run needs no right to create anything.
func TestSchemaOfPostgres(t *testing.T) {
	t.Parallel()
	f := newFolderWithView(t)
	admin := pgtest.Database(t)
	ddl := f.run("schema", "--sql", "--dialect", "postgres")
	if !strings.Contains(ddl, `CREATE TABLE "public".projector_projections`) || !strings.Contains(ddl, `CREATE TABLE "public"."jumps"`) {
		t.Fatal(ddl)
	}
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	role := "reader_of_" + strings.TrimPrefix(u.Path, "/")
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // of a test
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(ddl)
	exec("CREATE ROLE " + role + " LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;" +
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role)
	defer exec("DROP OWNED BY " + role + "; DROP ROLE " + role)
	u.User = url.UserPassword(role, "x")
	f.run("run", "--once", "--database", u.String())
	if got := f.run("show", "best", "--format", "csv", "--database", u.String()); got != "name\nRowan\n" {
		t.Error(got)
	}
	f.edit("best_m: float}", "best_m: float, stars: {type: int, default: 3}}")
	got := f.fail(ExitStopped, "run", "--once", "--database", u.String())
	if !strings.Contains(got, "SQLSTATE 42501") || !strings.Contains(got, "; grant it, or have an administrator run what `projector schema --sql` prints\n") {
		t.Error(got)
	}
}
