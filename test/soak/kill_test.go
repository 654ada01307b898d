package soak

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// TestSoakKill kills the process at random moments until it has come to the end, on both databases.
func TestSoakKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	events, kills, pause := 12_000, 5, 20*time.Millisecond
	if os.Getenv("PROJECTOR_SOAK") != "" {
		events, kills, pause = 100_000, 200, 100*time.Millisecond
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			database, count := prepare(t, kind)
			killed := killUntilDone(t, database, events, kills, pause)
			store, err := openStore(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close() //nolint:errcheck // only read from
			if diff := cmp.Diff(wanted(events), rows(t, store)); diff != "" {
				t.Errorf("rows: %s", diff)
			}
			lines, repeated := count()
			st, err := store.List(t.Context())
			if err != nil || len(st) != 1 {
				t.Fatalf("%v, %v", st, err)
			}
			t.Logf("%s: killed %d times, %d events handled, %d lines of audit, %d repeated, %d parked, %d takeovers",
				kind, killed, st[0].Handled, lines, repeated, st[0].Parked, st[0].Epoch)
			if lines != events || repeated != 0 || st[0].Handled != int64(events) || st[0].Parked != 0 || st[0].Skipped != 0 {
				t.Errorf("stored %+v", st[0])
			}
		})
	}
}

// prepare makes an empty database with a table for the audit, and a function that counts its lines.
func prepare(t *testing.T, kind string) (database string, count func() (lines, repeated int)) {
	t.Helper()
	const counting = "SELECT count(*), count(*) - (SELECT count(*) FROM (SELECT DISTINCT stream, number FROM %[1]s) AS d) FROM %[1]s"
	if kind == "sqlite" {
		path := filepath.Join(t.TempDir(), "soak.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if _, err := db.ExecContext(t.Context(), "PRAGMA journal_mode=WAL; CREATE TABLE audit (stream TEXT, number INTEGER)"); err != nil {
			t.Fatal(err)
		}
		return "sqlite " + path, func() (lines, repeated int) {
			if err := db.QueryRowContext(t.Context(), fmt.Sprintf(counting, "audit")).Scan(&lines, &repeated); err != nil {
				t.Fatal(err)
			}
			return lines, repeated
		}
	}
	url, schema := pgtest.Schema(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	name := pgx.Identifier{schema, "audit"}.Sanitize()
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize()+"; CREATE TABLE "+name+" (stream text, number bigint)"); err != nil {
		t.Fatal(err)
	}
	return "postgres " + url + " " + schema, func() (lines, repeated int) {
		if err := conn.QueryRow(t.Context(), fmt.Sprintf(counting, name)).Scan(&lines, &repeated); err != nil {
			t.Fatal(err)
		}
		return lines, repeated
	}
}

// killUntilDone starts the process again and again, and kills it each time, until it was killed so often; then it may end.
func killUntilDone(t *testing.T, database string, events, kills int, pause time.Duration) int {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(events), uint64(len(database))))
	for killed := 0; ; {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), envDatabase+"="+database, envEvents+"="+fmt.Sprint(events), envPause+"="+pause.String())
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if killed < kills {
			time.AfterFunc(time.Duration(50+rng.IntN(1200))*time.Millisecond, cancel) // SIGKILL
		}
		err := cmd.Wait()
		was := ctx.Err()
		cancel()
		switch {
		case err == nil:
			if killed < kills {
				t.Errorf("done after %d kills of %d already", killed, kills)
			}
			return killed
		case was == nil || killed >= kills:
			var exit *exec.ExitError
			t.Fatalf("%v (%v): %s", err, errors.As(err, &exit), out.String())
		}
		killed++
	}
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

// wanted works the table out by itself.
func wanted(events int) map[string][]int64 {
	want := map[string][]int64{}
	for i := range events {
		name, _ := eventAt(i)
		row := want[name]
		if row == nil {
			row = []int64{0, 0, -1}
			want[strings.Clone(name)] = row
		}
		row[0]++
		row[1] = max(row[1], int64(i*7919%1000))
		row[2]++
	}
	return want
}
