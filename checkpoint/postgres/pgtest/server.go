package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a throw-away server. It ends with the process that has started it, however that ends.
type Server struct {
	URL string // of its superuser

	dir   string
	stdin io.Closer // the server's supervisor ends when this is closed
	done  chan struct{}
}

// startTimeout is how long a server may take to answer.
const startTimeout = time.Minute

// Start starts a server on a free port of the loopback address, with all its files in a temporary directory. What is
// written is not flushed to the disk.
func Start(ctx context.Context) (*Server, error) {
	bin, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	var errs []error
	for range 3 { // another process may take the port before the server does
		s, err := start(ctx, bin, account)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func start(ctx context.Context, bin string, account *account) (*Server, error) {
	dir, err := os.MkdirTemp("", "projector-postgres-")
	if err != nil {
		return nil, err
	}
	if err := initialize(ctx, bin, account, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s, err := launch(ctx, bin, account, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func initialize(ctx context.Context, bin string, account *account, dir string) error {
	if err := account.own(dir); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
	account.become(initdb)
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func launch(ctx context.Context, bin string, account *account, dir string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer logFile.Close() //nolint:errcheck // the server has its own handle
	cmd := supervised(filepath.Join(bin, "postgres"), dir,
		"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300")
	account.become(cmd)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, logFile, logFile
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{
		URL: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", port), dir: dir, stdin: stdin, done: make(chan struct{}),
	}
	go func() { // ends with the server
		defer close(s.done)
		_ = cmd.Wait() // its log says why
	}()
	if err := s.waitReady(ctx); err != nil {
		s.halt()
		out := make([]byte, 4<<10)
		n, _ := logFile.ReadAt(out, 0) // what there is; the file may be removed already
		return nil, fmt.Errorf("postgres: %w\n%s", err, out[:n])
	}
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // the loopback address answers at once
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // nobody has connected
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-s.done:
			return errors.New("ended while it was starting")
		case <-retry.C:
		}
	}
}

func (s *Server) halt() {
	_ = s.stdin.Close() // a pipe
	<-s.done
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	s.halt()
	_ = os.RemoveAll(s.dir) // it lies in the temporary directory
}
