package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Pooler starts a pgbouncer in transaction mode before the server, with few connections to it, and returns the URL to
// use instead. It ends with the test. The program is looked for in PATH and in /usr/sbin, and installed with apt where
// that may be done.
func Pooler(t testing.TB) string {
	t.Helper()
	server, err := url.Parse(URL(t))
	if err != nil {
		t.Fatalf("%s: %v", Env, err)
	}
	program, err := findPooler(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	account, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "projector-pgbouncer-")
	if err == nil {
		err = account.own(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ini"), []byte(poolerConfig(server, port)), 0o644); err != nil { //nolint:gosec // its user must read it
		t.Fatal(err)
	}
	cmd := supervised(program, dir, filepath.Join(dir, "ini"))
	account.become(cmd)
	cmd.Dir = dir
	pooled := *server
	pooled.Host = fmt.Sprintf("127.0.0.1:%d", port)
	s := &Server{URL: pooled.String(), dir: dir, done: make(chan struct{})}
	if s.stdin, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the pooler
		defer close(s.done)
		_ = cmd.Wait() // waitReady says if that was too early
	}()
	t.Cleanup(s.Stop)
	if err := s.waitReady(context.Background()); err != nil {
		t.Fatalf("pgbouncer: %v", err)
	}
	return s.URL
}

func poolerConfig(server *url.URL, port int) string {
	user := "postgres"
	if server.User != nil {
		user = server.User.Username()
	}
	password := ""
	if p, ok := server.User.Password(); ok {
		password = " password=" + p
	}
	serverPort := server.Port()
	if serverPort == "" {
		serverPort = "5432"
	}
	return fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
server_fast_close = 1
`, server.Hostname(), serverPort, user, password, port)
}

func findPooler(ctx context.Context) (string, error) {
	find := func() (string, bool) {
		for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
			if path, err := exec.LookPath(name); err == nil {
				return path, true
			}
		}
		return "", false
	}
	if path, ok := find(); ok {
		return path, nil
	}
	if !mayInstall() {
		return "", errors.New("found no pgbouncer: install it, it has a package of this name in Debian and Homebrew")
	}
	if err := install(ctx, "pgbouncer", func() bool { _, ok := find(); return ok }); err != nil {
		return "", fmt.Errorf("%w: install pgbouncer", err)
	}
	if path, ok := find(); ok {
		return path, nil
	}
	return "", errors.New("apt-get has installed pgbouncer, but it is nowhere")
}
