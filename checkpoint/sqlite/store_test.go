package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/sqlite"
)

const forever = 5 * time.Minute

func ponies() *checkpoint.Table {
	return &checkpoint.Table{
		Name: "ponies", Key: []string{"name"}, Columns: []checkpoint.Column{
			{Name: "name", Type: checkpoint.Type{Base: checkpoint.Text}}, {Name: "jumps", Type: checkpoint.Type{Base: checkpoint.Int}},
		},
	}
}

func put(table *checkpoint.Table, rows ...[]any) []checkpoint.TableWrite {
	return []checkpoint.TableWrite{{Table: table, Upserts: rows}}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ready(t *testing.T, path string, opts ...sqlite.Option) *sqlite.Store {
	t.Helper()
	s := open(t, path, opts...)
	check(t, s.Migrate(t.Context()))
	check(t, s.EnsureTables(t.Context(), ponies()))
	return s
}

func acquire(t *testing.T, s checkpoint.Store, name string) checkpoint.Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: name, Owner: "owner", TTL: forever})
	check(t, err)
	return lease
}

// childEnv makes this program be another process that commits: file and projection.
const childEnv = "PROJECTOR_TEST_SQLITE_CHILD"

func child(path, name string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	table := ponies()
	if err := errors.Join(s.Migrate(ctx), s.EnsureTables(ctx, table)); err != nil {
		return err
	}
	lease, err := s.Acquire(ctx, checkpoint.Claim{Name: name, TTL: forever})
	if err != nil {
		return err
	}
	for n := range int64(200) {
		change := checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Handled: 1, Writes: put(table, []any{fmt.Sprint(name, " ", n), n})}
		for err = lease.Commit(ctx, change); s.Classify(err) == checkpoint.ClassUnavailable; {
			err = lease.Commit(ctx, change)
		}
		if err != nil {
			return err
		}
	}
	return s.Close()
}

func TestManyProcessesOnOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	self, err := os.Executable()
	check(t, err)
	const processes = 4
	results := make(chan error, processes)
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|projection %d", childEnv, path, i))
		go func() { // ends with the process
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			results <- err
		}()
	}
	for range processes {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	s := open(t, path)
	n, err := s.Count(t.Context(), ponies())
	check(t, err)
	list, err := s.List(t.Context())
	check(t, err)
	if n != processes*200 || len(list) != processes {
		t.Fatalf("%d rows of %d projections", n, len(list))
	}
	for _, st := range list {
		if st.Position != checkpoint.AtNumber(199) || st.Handled != 200 {
			t.Errorf("%+v", st)
		}
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "busy.db")
	s := ready(t, path)
	other := open(t, path, sqlite.WithBusyTimeout(20*time.Millisecond))
	mine, theirs := acquire(t, s, "mine"), acquire(t, other, "theirs")
	tx, err := mine.Begin(t.Context())
	check(t, err)
	_, err = tx.Native().(*sql.Tx).ExecContext(t.Context(), `INSERT INTO ponies VALUES ('by a handler', 1)`)
	check(t, err)
	change := checkpoint.Change{To: checkpoint.AtNumber(1)}
	if err := theirs.Commit(t.Context(), change); other.Classify(err) != checkpoint.ClassUnavailable {
		t.Fatalf("got error %v of class %v, want one that is unavailable", err, other.Classify(err))
	}
	if n, err := other.Count(t.Context(), ponies()); n != 0 || err != nil { // reading does not wait, and sees what is committed
		t.Fatal(n, err)
	}
	check(t, mine.Renew(t.Context())) // nobody can take the lease from us now
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := mine.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) { // in one process they wait for each other
		t.Fatalf("got error %v, want %v", err, context.DeadlineExceeded)
	}
	check(t, tx.Commit(t.Context(), change))
	check(t, theirs.Commit(t.Context(), change))
	if n, err := other.Count(t.Context(), ponies()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// TestHandlerEndsTransaction: the rows are then in the file and the position is not, which must not pass for success.
func TestHandlerEndsTransaction(t *testing.T) {
	t.Parallel()
	s := ready(t, filepath.Join(t.TempDir(), "s.db"))
	lease := acquire(t, s, "p")
	byStatement := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "COMMIT")
		return err
	}
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback, byStatement} {
		tx, err := lease.Begin(t.Context())
		check(t, err)
		check(t, end(tx.Native().(*sql.Tx)))
		err = tx.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(1), Writes: put(ponies(), []any{"a", int64(1)})})
		if !errors.Is(err, checkpoint.ErrInvalid) || s.Classify(err) != checkpoint.ClassConfiguration {
			t.Fatalf("got error %v of class %v", err, s.Classify(err))
		}
		list, err := s.List(t.Context())
		check(t, err)
		if n, err := s.Count(t.Context(), ponies()); n != 0 || err != nil || !list[0].Position.IsStart() {
			t.Fatal(n, err, list[0].Position)
		}
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
}

// TestDiskFull limits the size of the file, as a disk would.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := ready(t, filepath.Join(t.TempDir(), "full.db"))
	lease := acquire(t, s, "p")
	limit := func(pages int) {
		t.Helper()
		tx, err := lease.Begin(t.Context())
		check(t, err)
		_, err = tx.Native().(*sql.Tx).ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		check(t, err)
		check(t, tx.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: lease.Position()}))
	}
	limit(1) // SQLite makes this the size that it has
	var rows [][]any
	for n := range int64(100) {
		rows = append(rows, []any{fmt.Sprint(strings.Repeat("long", 400), n), n})
	}
	change := checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(ponies(), rows...)}
	err := lease.Commit(t.Context(), change)
	if s.Classify(err) != checkpoint.ClassUnavailable || checkpoint.Classify(err) != checkpoint.ClassUnavailable {
		t.Fatalf("got error %v of class %v, want one that is unavailable", err, s.Classify(err))
	}
	list, err := s.List(t.Context())
	check(t, err)
	if !list[0].Position.IsStart() {
		t.Fatal(list[0].Position)
	}
	limit(1 << 20)
	check(t, lease.Commit(t.Context(), change))
}

func TestClasses(t *testing.T) {
	t.Parallel()
	s := ready(t, filepath.Join(t.TempDir(), "s.db"))
	lease := acquire(t, s, "p")
	inTx := func(query string) error {
		tx, err := lease.Begin(t.Context())
		check(t, err)
		defer func() { check(t, tx.Rollback(t.Context())) }()
		_, err = tx.Native().(*sql.Tx).ExecContext(t.Context(), query)
		return err
	}
	elsewhere := func(path string, opts ...sqlite.Option) error {
		_, err := sqlite.Open(t.Context(), path, opts...)
		return err
	}
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	check(t, os.WriteFile(garbage, []byte(strings.Repeat("this is no database", 500)), 0o600))
	for what, test := range map[string]struct {
		err  error
		want checkpoint.Class
	}{
		"no such table":     {inTx(`SELECT * FROM nowhere`), checkpoint.ClassConfiguration},
		"syntax":            {inTx(`SELEC`), checkpoint.ClassConfiguration},
		"null":              {inTx(`INSERT INTO ponies VALUES (NULL, 1)`), checkpoint.ClassData},
		"no such directory": {elsewhere(filepath.Join(t.TempDir(), "no", "where.db")), checkpoint.ClassConfiguration},
		"no database":       {elsewhere(garbage), checkpoint.ClassConfiguration},
		"a directory":       {elsewhere(t.TempDir()), checkpoint.ClassConfiguration},
		"memory":            {elsewhere(":memory:"), checkpoint.ClassConfiguration},
		"no path":           {elsewhere(""), checkpoint.ClassConfiguration},
		"no readers":        {elsewhere(garbage, sqlite.WithReaders(0)), checkpoint.ClassConfiguration},
		"no busy timeout":   {elsewhere(garbage, sqlite.WithBusyTimeout(0)), checkpoint.ClassConfiguration},
	} {
		if got := s.Classify(test.err); test.err == nil || got != test.want {
			t.Errorf("%s: %v is %v, want %v", what, test.err, got, test.want)
		}
	}
}

// TestSurvivesKill leaves a transaction open, as a process that is killed does.
func TestSurvivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	s := ready(t, path)
	lease := acquire(t, s, "p")
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(ponies(), []any{"a", int64(1)})}))
	copied := filepath.Join(t.TempDir(), "copy.db") // what another process would find
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		check(t, err)
		check(t, os.WriteFile(copied+suffix, b, 0o600))
	}
	again := ready(t, copied)
	list, err := again.List(t.Context())
	check(t, err)
	if n, err := again.Count(t.Context(), ponies()); n != 1 || err != nil || list[0].Position != checkpoint.AtNumber(1) {
		t.Fatal(n, err, list[0].Position)
	}
}

// With WithExisting, nothing is made, and nothing is left beside the file.
func TestExisting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	if _, err := sqlite.Open(t.Context(), path, sqlite.WithExisting()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got error %v, want %v", err, os.ErrNotExist)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Fatalf("%v was made, %v", files, err)
	}
	check(t, ready(t, path).Close())
	s := open(t, path, sqlite.WithExisting())
	check(t, s.Check(t.Context()))
	acquire(t, s, "p")
	check(t, s.Close())
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Fatalf("there is %v, %v; want one file", files, err)
	}
}
