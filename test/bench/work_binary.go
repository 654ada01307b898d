//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// binary runs the program itself, with as many projections over one stream as are asked for, each a table of its own, and
// measures the memory of that process. Event store and bench are other processes.
func binary(ctx context.Context, j *job) (m measurement, err error) {
	dir, err := os.MkdirTemp("", "projector-bench")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config, url := filepath.Join(dir, "projector.yaml"), j.database
	if url == "" {
		url = "sqlite://" + filepath.Join(dir, "bench.db")
	}
	if err := os.WriteFile(config, manyYAML(j), 0o600); err != nil {
		return m, err
	}
	run := func(args ...string) (*exec.Cmd, []byte, error) {
		cmd := exec.CommandContext(ctx, j.program, append(args, "--config", config, "--eventstore", j.url(), "--database", url)...) //nolint:gosec // that we built
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("projector %s: %w: %s", args[0], err, stderr.Bytes())
		}
		return cmd, out, err
	}
	began := time.Now()
	cmd, out, err := run("run", "--once")
	if err != nil {
		return m, err
	}
	if got, want := bytes.Count(out, fmt.Appendf(nil, "%s events handled", grouped(j.n))), j.inflight; got != want {
		return m, fmt.Errorf("%d projections of %d say that they have handled %d events:\n%s", got, want, j.n, out)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
	return measurement{
		EventsPerSec: float64(j.n) / time.Since(began).Seconds(), CPU: cpu * 1e6 / float64(j.n), RSS: maxrssMB(used),
	}, nil
}

// grouped writes a number as the program does.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func manyYAML(j *job) []byte {
	var b strings.Builder
	b.WriteString("admin: {listen: \"127.0.0.1:0\"}\nprojections:\n")
	for i := range j.inflight {
		fmt.Fprintf(&b, `  bench_%d:
    source: {stream: %s}
    key: body.name
    table:
      columns: {name: text, jumps: int, best_height_m: float, last_event: int}
      primary_key: name
    on:
      pony.jumped:
        increment: {jumps: 1}
        max: {best_height_m: body.height_m}
        set: {last_event: event.number}
`, i, j.stream)
	}
	return []byte(b.String())
}
