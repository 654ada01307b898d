// Package pgtest gives tests a real PostgreSQL.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		url := pgtest.Database(t) // a database of its own
//	}
//
// The server is the one that PROJECTOR_TEST_POSTGRES names. Without it, [Main] finds the programs of a server (in PATH,
// in /usr/lib/postgresql, in the places of Homebrew), or installs them with apt where it may, starts a throw-away server
// on a free port of the loopback address, and stops it at the end, however the tests end. With -short there is no server,
// and the tests that want one are skipped and say so.
//
// A server for several packages at once is started by the command in the directory run:
//
//	go run ./checkpoint/postgres/pgtest/run go test ./...
package pgtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Env names the variable with the URL of the server. Its user must be allowed to create databases.
const Env = "PROJECTOR_TEST_POSTGRES"

// Main runs the tests of a package with a server, for use in TestMain. It returns the code to exit with.
func Main(m *testing.M) int {
	flag.Parse()
	if os.Getenv(Env) != "" || testing.Short() {
		return m.Run()
	}
	server, err := Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer server.Stop()
	if err := os.Setenv(Env, server.URL); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	return m.Run()
}

// URL returns the URL of the server. It skips the test with -short, and fails it where there is no server.
func URL(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(Env); server != "" {
		return server
	}
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	t.Fatalf("%s is not set, and the package's TestMain does not call pgtest.Main", Env)
	return ""
}

// Database makes an empty database for a test and returns its URL. It is dropped at the end of the test.
func Database(t testing.TB) string {
	t.Helper()
	server := URL(t)
	name := unique("test")
	execSQL(t, server, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { execSQL(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", Env, err)
	}
	u.Path = "/" + name
	return u.String()
}

// Schema makes a name for a schema that does not exist, in the database of the server; that is faster than a database.
// It is dropped at the end of the test.
func Schema(t testing.TB) (serverURL, schema string) {
	t.Helper()
	serverURL, schema = URL(t), unique("test")
	t.Cleanup(func() { execSQL(t, serverURL, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
	return serverURL, schema
}

func unique(prefix string) string { return fmt.Sprintf("%s_%016x", prefix, rand.Uint64()) }

func execSQL(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("%s: %v", Env, err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement has been answered
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
