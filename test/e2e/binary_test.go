//go:build e2e

// Package e2e runs the built binary as users do. `make e2e` builds it and sets PROJECTOR_BINARY.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up on it; it never decides a good outcome.
const patience = 2 * time.Minute

// place is a folder with a configuration in which the binary is run.
type place struct {
	t    *testing.T
	dir  string
	args []string // of every command
}

// newPlace copies a configuration of the repository, with addresses that are free here.
func newPlace(t *testing.T, configuration string) *place {
	t.Helper()
	dir := t.TempDir()
	yaml := repoFile(t, configuration)
	yaml = regexp.MustCompile(`(?m)^ +(tcp|http|listen): .*\n`).ReplaceAllString(yaml, "")
	yaml = regexp.MustCompile(`(?m)^admin:\n`).ReplaceAllString(yaml, "")
	yaml = regexp.MustCompile(`(?m)^    dir: .*$`).ReplaceAllString(yaml,
		fmt.Sprintf("$0\n    tcp: %s\n    http: %s", freeAddress(t), freeAddress(t)))
	yaml += fmt.Sprintf("\nadmin: {listen: %q}\n", freeAddress(t))
	write(t, filepath.Join(dir, "projector.yaml"), yaml)
	if seed := "examples/ponies/events.jsonl"; strings.Contains(yaml, seed) {
		write(t, filepath.Join(dir, seed), repoFile(t, seed))
	}
	return &place{t: t, dir: dir}
}

func repoFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its address matters
	return l.Addr().String()
}

// outcome of a process.
type outcome struct {
	stdout, stderr string
	code           int // -1 if it was killed
}

// process is a running binary.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{}
	code   int
}

// output collects what a process prints, and tells when there is more.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when there is more
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

func (o *output) read() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

func (p *place) start(args ...string) *process {
	p.t.Helper()
	binary := os.Getenv("PROJECTOR_BINARY")
	if binary == "" {
		p.t.Fatal("PROJECTOR_BINARY is not set: run these tests with `make e2e`")
	}
	return startIn(p.t, p.dir, binary, append(args, p.args...)...)
}

// startIn starts any program. It is killed at the end of the test, at the latest.
func startIn(t *testing.T, dir, binary string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	pr := &process{t: t, ended: make(chan struct{})}
	pr.cmd = exec.CommandContext(ctx, binary, args...)
	pr.cmd.Dir = dir
	pr.cmd.Stdout, pr.cmd.Stderr = &pr.stdout, &pr.stderr
	if err := pr.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() { // ends with the process
		defer cancel()
		err := pr.cmd.Wait()
		pr.code = pr.cmd.ProcessState.ExitCode()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			_, _ = io.WriteString(&pr.stderr, "\n"+err.Error())
		}
		close(pr.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-pr.ended
	})
	return pr
}

// wait returns when the process has ended.
func (pr *process) wait() outcome {
	<-pr.ended
	stdout, _ := pr.stdout.read()
	stderr, _ := pr.stderr.read()
	return outcome{stdout, stderr, pr.code}
}

// until returns when the process has printed a text on stderr.
func (pr *process) until(text string) string {
	pr.t.Helper()
	return pr.untilIn(&pr.stderr, text)
}

// untilIn returns when the process has printed a text on one of its outputs.
func (pr *process) untilIn(o *output, text string) string {
	pr.t.Helper()
	for {
		printed, more := o.read()
		if strings.Contains(printed, text) {
			return printed
		}
		select {
		case <-more:
		case <-pr.ended:
			if printed, _ = o.read(); strings.Contains(printed, text) {
				return printed
			}
			pr.t.Fatalf("the process ended with %d before it printed %q:\n%s", pr.code, text, printed)
		}
	}
}

// run runs a command that must succeed and returns what it printed on stdout.
func (p *place) run(args ...string) string {
	p.t.Helper()
	o := p.start(args...).wait()
	if o.code != 0 {
		p.t.Fatalf("projector %s: exit code %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// remove removes what a command has made.
func (p *place) remove(name string) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}
