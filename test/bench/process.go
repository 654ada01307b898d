//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench holds what all pairs need.
type bench struct {
	ctx   context.Context
	dir   string // of the built sticks
	self  string
	scale float64
}

// measurement is what one program says of itself, in the last line of its output.
type measurement struct {
	EventsPerSec float64 `json:"eps"`
	RowsPerSec   float64 `json:"events_per_s"` // as the stick rows calls it
	CPU          float64 `json:"cpu_per_1m"`   // seconds per million events
	RSS          float64 `json:"rss_mb"`       // at its highest
	P50          float64 `json:"p50_us,omitempty"`
	P99          float64 `json:"p99_us,omitempty"`
	Trips        float64 `json:"trips,omitempty"`       // after Dial
	TripsAgain   float64 `json:"trips_again,omitempty"` // after a lost connection
	Allocs       float64 `json:"allocs_per_event,omitempty"`
	Bytes        float64 `json:"bytes_per_event,omitempty"`
	Decoded      float64 `json:"decoded,omitempty"` // how often each event was decoded from a frame
}

// newBench builds the sticks, and the binary.
func newBench(ctx context.Context, sticks string, scale float64) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "projector-bench")
	if err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, dir: dir, self: self, scale: scale}
	err = errors.Join(b.build(sticks, "./blaster", "./limit", "./rows"), b.build("", "github.com/photonpump/projector/cmd/projector"))
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// build makes programs from their sources in a folder.
func (b *bench) build(folder string, packages ...string) error {
	cmd := exec.CommandContext(b.ctx, "go", append([]string{"build", "-o", b.dir}, packages...)...) //nolint:gosec // no input
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v in %s: %w\n%s", packages, folder, err, out)
	}
	return nil
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }

func (b *bench) bin(name string) string { return filepath.Join(b.dir, name) }

// measure runs both sides of a pair once.
func (b *bench) measure(p pair, r *result) error {
	var limit measurement
	if p.limit.args != nil {
		var err error
		if limit, err = b.runProgram(p.limit); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
	}
	ours, err := b.runProgram(p.ours)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	r.limit, r.ours = append(r.limit, limit), append(r.ours, ours)
	return nil
}

func (b *bench) runProgram(p program) (m measurement, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Minute)
	defer cancel()
	var addr []string
	if p.server != "" {
		server, a, err := b.serve(ctx, p.server, p.serverArgs)
		if err != nil {
			return m, err
		}
		defer server.stop()
		addr = []string{"-addr", a}
	}
	for _, args := range p.setup {
		if _, err := execute(ctx, slices.Concat(args, addr), nil); err != nil {
			return m, err
		}
	}
	out, err := execute(ctx, slices.Concat(p.args, addr), p.env)
	if err != nil {
		return m, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &m); err != nil {
		return m, fmt.Errorf("%s says %q: %w", p.args[0], out, err)
	}
	m.EventsPerSec = max(m.EventsPerSec, m.RowsPerSec)
	return m, nil
}

func execute(ctx context.Context, args, env []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // programs that we built
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// server is a process that listens.
type server struct{ cmd *exec.Cmd }

// serve starts a server on a free port and waits until it answers.
func (b *bench) serve(ctx context.Context, kind string, more []string) (*server, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	args := []string{b.bin("blaster"), "-addr", addr}
	if kind != "blaster" {
		args = []string{b.self, "work", kind, "-addr", addr}
	}
	args = append(args, more...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // programs that we built
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	s := &server{cmd}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil && err != io.EOF { // each says when it is ready
		s.stop()
		return nil, "", err
	}
	if err := answers(addr); err != nil {
		s.stop()
		return nil, "", err
	}
	return s, addr, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func answers(addr string) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}
