package soak

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector"
)

// database says where everything is kept; it goes to other processes as JSON.
type database struct {
	File        string // of SQLite
	URL, Schema string // of Postgres
}

// The kinds of databases.
const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
	kindPooled   = "pgbouncer" // Postgres behind it
)

func (d database) kind() string {
	if d.File != "" {
		return kindSQLite
	}
	return kindPostgres
}

// newDatabase makes an empty one, with the tables of the audit.
func newDatabase(t *testing.T, kind string) database {
	t.Helper()
	switch kind {
	case kindSQLite:
		d := database{File: filepath.Join(t.TempDir(), "soak.db")}
		d.exec(t, "PRAGMA journal_mode=WAL", "CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, number INTEGER)",
			"CREATE TABLE total (n INTEGER)", "INSERT INTO total VALUES (0)")
		return d
	case kindPooled:
		d := newPostgres(t, pgtest.URL(t))
		d.URL = pgtest.Pooler(t)
		return d
	}
	return newPostgres(t, pgtest.URL(t))
}

// newPostgres makes a schema in a server, which goes with the server or the test.
func newPostgres(t *testing.T, server string) database {
	t.Helper()
	_, schema := pgtest.Schema(t)
	d := database{URL: server, Schema: schema}
	d.exec(t, "CREATE SCHEMA "+schema, "CREATE TABLE "+d.name("audit")+" (seq bigserial, stream text, number bigint)",
		"CREATE TABLE "+d.name("total")+" (n bigint)", "INSERT INTO "+d.name("total")+" VALUES (0)")
	return d
}

func (d database) open(ctx context.Context) (checkpoint.Store, error) {
	if d.File != "" {
		return sqlite.Open(ctx, d.File)
	}
	return postgres.Open(ctx, d.URL, postgres.WithSchema(d.Schema))
}

// store opens the database for the length of the test.
func (d database) store(t *testing.T) checkpoint.Store {
	t.Helper()
	s, err := d.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // nothing is left to be lost
	return s
}

// name of a table in SQL.
func (d database) name(table string) string {
	if d.File != "" {
		return table
	}
	return pgx.Identifier{d.Schema, table}.Sanitize()
}

// exec runs statements on a connection of their own.
func (d database) exec(t *testing.T, statements ...string) {
	t.Helper()
	d.conn(t, func(exec func(string) error, _ func(string, ...any) error) error {
		var errs []error
		for _, s := range statements {
			errs = append(errs, exec(s))
		}
		return errors.Join(errs...)
	})
}

// row reads one row.
func (d database) row(t *testing.T, query string, into ...any) {
	t.Helper()
	d.conn(t, func(_ func(string) error, row func(string, ...any) error) error { return row(query, into...) })
}

func (d database) conn(t *testing.T, fn func(exec func(string) error, row func(string, ...any) error) error) {
	t.Helper()
	ctx := t.Context()
	var err error
	if d.File != "" {
		var db *sql.DB
		if db, err = sql.Open("sqlite", "file:"+filepath.ToSlash(d.File)+"?_pragma=busy_timeout(10000)"); err == nil {
			defer db.Close() //nolint:errcheck // each statement was answered
			err = fn(func(s string) error { _, err := db.ExecContext(ctx, s); return err },
				func(q string, into ...any) error { return db.QueryRowContext(ctx, q).Scan(into...) })
		}
	} else {
		var conn *pgx.Conn
		if conn, err = connect(ctx, d.URL); err == nil {
			defer conn.Close(ctx) //nolint:errcheck // each statement was answered
			err = fn(func(s string) error { _, err := conn.Exec(ctx, s); return err },
				func(q string, into ...any) error { return conn.QueryRow(ctx, q).Scan(into...) })
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// locked reports whether somebody is writing to the file.
func (d database) locked(t *testing.T) bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(d.File))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing was written
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE; ROLLBACK")
	return err != nil
}

// hold leaves a transaction with a lock open until the end of the test.
func (d database) hold(t *testing.T, lock string) {
	t.Helper()
	conn, err := connect(t.Context(), d.URL)
	if err == nil {
		_, err = conn.Exec(t.Context(), "BEGIN; "+lock)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // which gives it up
}

// connect opens a connection that prepares nothing, for the sake of pgbouncer.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgx.ConnectConfig(ctx, config)
}

// tx is what a handler needs of a transaction of either database.
type tx struct {
	exec   func(ctx context.Context, sql string, args ...any) error
	native pgx.Tx // nil with SQLite
}

// inTx makes a handler that writes through the transaction of the database.
func (d database) inTx(fn hook) *projector.Handler {
	if d.File != "" {
		return projector.OnTx("pony.jumped", func(ctx context.Context, s *sql.Tx, e projector.Event[jumped]) error {
			return fn(ctx, tx{exec: func(ctx context.Context, sql string, args ...any) error {
				_, err := s.ExecContext(ctx, sql, args...)
				return err
			}}, e)
		})
	}
	return projector.OnTx("pony.jumped", func(ctx context.Context, p pgx.Tx, e projector.Event[jumped]) error {
		return fn(ctx, tx{native: p, exec: func(ctx context.Context, sql string, args ...any) error {
			_, err := p.Exec(ctx, sql, args...)
			return err
		}}, e)
	})
}

// hook is code within the transaction of an event.
type hook = func(ctx context.Context, tx tx, e projector.Event[jumped]) error

// audit writes a line for every event, in the transaction of its batch. Its table has no key, so that it shows what is
// repeated. All events meet in the row of the total. The hooks come before and after that; they may be nil.
func (d database) audit(before, after hook) *projector.Handler {
	insert := "INSERT INTO " + d.name("audit") + " (stream, number) VALUES ($1, $2)"
	add := "UPDATE " + d.name("total") + " SET n = n + 1"
	note := func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
		if err := tx.exec(ctx, insert, e.Stream, e.Number); err != nil {
			return err
		}
		return tx.exec(ctx, add)
	}
	return d.inTx(func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
		for _, h := range []hook{before, note, after} {
			if h == nil {
				continue
			}
			if err := h(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// truth is what must be in the database in the end.
type truth struct {
	events int // handled, each once
	faults string
	parked int64
}

// check compares the database with the truth, and prints the counts.
func (d database) check(t *testing.T, want truth) checkpoint.Status {
	t.Helper()
	store := d.store(t)
	if want.parked == 0 {
		if diff := cmp.Diff(wanted(want.events), rows(t, store)); diff != "" {
			t.Errorf("rows: %s", diff)
		}
	}
	var lines, different, total, early int
	d.row(t, fmt.Sprintf(`SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT stream, number FROM %[1]s) AS d),
		(SELECT n FROM %[2]s),
		(SELECT count(*) FROM (SELECT number < lag(number) OVER (PARTITION BY stream ORDER BY seq) AS early FROM %[1]s) AS o WHERE early)
		FROM %[1]s`, d.name("audit"), d.name("total")), &lines, &different, &total, &early)
	st := stored(t, store)
	lost, repeated := want.events-different, lines-different
	t.Logf("%s: %d events handled, %d lost, %d repeated, %d out of order, %d parked, %d owners",
		want.faults, st.Handled, lost, repeated, early, st.Parked, st.Epoch)
	if lost != 0 || repeated != 0 || early != 0 || total != want.events || st.Handled != int64(want.events) || st.Skipped != 0 ||
		st.Parked != want.parked {
		t.Errorf("want %d events and %d parked; %d lines, total %d, stored %+v", want.events, want.parked, lines, total, st)
	}
	return st
}

// stored is the only projection of a database.
func stored(t *testing.T, store checkpoint.Store) checkpoint.Status {
	t.Helper()
	all, err := store.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

// rows reads the table of ponies.
func rows(t *testing.T, store checkpoint.Store) map[string][]int64 {
	t.Helper()
	got := map[string][]int64{}
	err := store.Rows(t.Context(), table().Tables()[0], 0, func(row []any) bool {
		got[row[0].(string)] = []int64{row[1].(int64), row[2].(int64), row[3].(int64)}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
