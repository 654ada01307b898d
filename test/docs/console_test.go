//go:build !windows

package docs

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settles is how long a command that only looks may take to show what the document shows: a lease of a killed process
// must run out, among others.
const settles = 30 * time.Second

// Every command of the documents, one after the other in a shell, prints what is shown. A … stands for any text of a line,
// a line of … for any lines; the width of columns may differ.
func TestConsole(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		blocks := blocksOf(t, document)
		if !hasConsole(blocks) {
			continue
		}
		t.Run(filepath.Base(document), func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			for _, b := range blocks {
				switch {
				case b.language == "yaml" && strings.HasPrefix(b.text, "# projector.yaml\n"):
					s.write("projector.yaml", b.text+s.addresses())
				case b.language == "console":
					for _, step := range stepsOf(b.text) {
						s.check(step)
					}
				}
			}
		})
	}
}

func hasConsole(blocks []block) bool {
	for _, b := range blocks {
		if b.language == "console" {
			return true
		}
	}
	return false
}

// step is a command with what it prints.
type step struct{ command, shown string }

func stepsOf(text string) []step {
	var steps []step
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: strings.TrimSpace(command)})
		} else if n := len(steps); n > 0 {
			steps[n-1].shown += line
		}
	}
	return steps
}

// shell runs commands in a directory of its own, which has the examples of the repository.
type shell struct {
	t     *testing.T
	dir   string
	in    *os.File
	out   *bufio.Reader
	ports []string // of event store, its HTTP, and the page
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), ports: freePorts(t)}
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{filepath.Join(bin, "projector"): self, filepath.Join(s.dir, "examples"): examples} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Stdin, cmd.Stdout = s.dir, stdin, stdout
	// A program with the race detector sleeps for a second at its end, unless it is told not to.
	cmd.Env = append(os.Environ(), asProjector+"=1", "GORACE=atexit_sleep_ms=0",
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = stdin.Close(), stdout.Close()
	s.in, s.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		fmt.Fprintln(in, "kill -9 $(jobs -p); wait; exit 0")
		_ = in.Close()
		_ = cmd.Wait()
		_ = out.Close()
	})
	fmt.Fprintln(in, "set -m")
	return s
}

func freePorts(t *testing.T) []string {
	t.Helper()
	var ports []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // it has done its work
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

// addresses are in place of the defaults, which something else may use on this machine.
func (s *shell) addresses() string {
	return fmt.Sprintf("\neventstore: {embedded: {tcp: \"127.0.0.1:%s\", http: \"127.0.0.1:%s\"}}\nadmin: {listen: \"127.0.0.1:%s\"}\n",
		s.ports[0], s.ports[1], s.ports[2])
}

// write makes a file where the shell is.
func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// check runs a command. One that only looks may have to do so more than once.
func (s *shell) check(want step) {
	s.t.Helper()
	if pkg, ok := strings.CutPrefix(want.command, "go install "); ok {
		s.installable(pkg)
		return
	}
	deadline, tick := time.After(settles), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		code, printed := s.run(want.command)
		good := (code == 0) != strings.Contains(want.shown, "projector: ")
		if good && pattern(want.shown).MatchString(columns(printed)) {
			return
		}
		if looks := regexp.MustCompile(`^projector (show|status|parked (list|show)) `); looks.MatchString(want.command + " ") {
			select {
			case <-tick.C:
				continue
			case <-deadline:
			}
		}
		s.t.Fatalf("$ %s\nexit code %d\n%s\nbut the document shows\n%s", want.command, code, printed, want.shown)
	}
}

// installable checks that a package is a command; the one that is run here is built into this test.
func (s *shell) installable(pkg string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "go", "list", "-f", "{{.Name}} {{.ImportPath}}", pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "main github.com/photonpump/projector/cmd/projector\n" {
		s.t.Fatalf("go install %s: %v: %s", pkg, err, out)
	}
}

// run returns the exit code of a command and what it prints.
func (s *shell) run(command string) (code int, printed string) {
	s.t.Helper()
	const mark = "\x01end "
	after := ""
	if strings.HasPrefix(command, "kill ") {
		after = "wait 2>/dev/null; " // else the next command may meet the process that dies
	}
	fmt.Fprintf(s.in, "{ %s\n} </dev/null 2>&1; code=$?; %sprintf '\\001end %%d %%s\\n' $code \"$PWD\"\n", command, after)
	var b bytes.Buffer
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("$ %s\n%s%s\nthe shell: %v", command, b.String(), line, err)
		}
		before, end, ok := strings.Cut(line, mark)
		b.WriteString(before)
		if !ok {
			continue
		}
		number, dir, _ := strings.Cut(strings.TrimSpace(end), " ")
		if code, err = strconv.Atoi(number); err != nil {
			s.t.Fatal(err)
		}
		s.dir = dir
		break
	}
	printed = b.String()
	for i, port := range []string{"11113", "12113", "9090"} {
		printed = strings.ReplaceAll(printed, "127.0.0.1:"+s.ports[i], "127.0.0.1:"+port)
	}
	// What the shell says of its jobs, and lines of the log, which are for another place.
	noise := regexp.MustCompile(`(?m)^(bash: line \d+: .*|time=\S+ level=.*)\n`)
	return code, noise.ReplaceAllString(printed, "")
}

// columns makes tables of different widths the same.
func columns(text string) string {
	text = regexp.MustCompile(` {2,}`).ReplaceAllString(text, "  ")
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(text, "")
}

func pattern(shown string) *regexp.Regexp {
	var b strings.Builder
	for line := range strings.Lines(columns(shown)) {
		if line == "…\n" {
			b.WriteString(`(?:.*\n)*`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	return regexp.MustCompile(`\A` + b.String() + `\z`)
}
