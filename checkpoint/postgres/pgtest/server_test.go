//go:build unix

package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childEnv makes this program start a server, say where it is, and wait to be killed.
const childEnv = "PROJECTOR_TEST_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		s, err := Start(context.Background())
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.URL, s.dir)
		select {}
	}
	os.Exit(m.Run())
}

// TestServerEndsWithItsProcess kills the process, which so can stop nothing.
func TestServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		t.Fatal(line)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err == nil { // until the server is gone
		_, err = conn.Exec(ctx, "SELECT pg_sleep(0.01)")
	}
	if ctx.Err() != nil {
		t.Fatal("the server is still there")
	}
	_ = conn.Close(ctx) // it is closed
	for ctx.Err() == nil {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	t.Fatalf("%s is still there: %v", dir, left)
}

func TestStop(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := pgx.Connect(t.Context(), s.URL); err == nil {
		t.Fatal("the server is still there")
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Fatalf("%s is still there", s.dir)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	started := func() (at time.Time) {
		conn, err := pgx.Connect(t.Context(), s.URL)
		if err == nil {
			err = conn.QueryRow(t.Context(), "SELECT pg_postmaster_start_time()").Scan(&at)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context()) // nothing was written
		return at
	}
	for _, mode := range []Shutdown{Fast, Immediate} {
		before := started()
		if err := s.Restart(t.Context(), mode); err != nil {
			t.Fatal(err)
		}
		if after := started(); !after.After(before) {
			t.Errorf("mode %d: started at %v, before that at %v", mode, after, before)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"/usr/lib/postgresql/15/bin": 15, "/usr/lib/postgresql/9.6/bin": 9, "/opt/homebrew/opt/postgresql@17/bin": 17, "/usr/local/pgsql/bin": 0,
	} {
		if got := version(path); got != want {
			t.Errorf("%s is version %d, want %d", path, got, want)
		}
	}
}
