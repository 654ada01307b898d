//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// The events of a real git history, and what the three read models of examples/git-history must hold after all of them.
// They are not part of the repository.
const (
	historyFile  = "git-history.jsonl.gz"
	expectedFile = "git-history.expected.json"
	historyData  = "PROJECTOR_TEST_DATA" // names the folder with both; defaults to ../shared/data beside the repository
)

// keys of the read models, and how many events each must have counted.
var histories = map[string]struct {
	key     string
	handled int64
}{
	"authors": {"author", commits},
	"areas":   {"area", files},
	"files":   {"path", files},
}

const (
	commits = 1847
	files   = 30138
)

func historyDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(historyData)
	if dir == "" {
		dir = "../../../shared/data"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, historyFile)); err != nil {
		fmt.Fprintf(os.Stderr, "\nNOT TESTED: %s: there is no %s in %s (set %s)\n\n", t.Name(), historyFile, dir, historyData)
		t.Skip("no data")
	}
	return dir
}

// databases calls test with every kind of database, each new and empty.
func databases(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{"sqlite": nil, "postgres": func(t *testing.T) string { return pgtest.Database(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "examples/git-history/projector.yaml")
			if url != nil {
				p.args = []string{"--database", url(t)}
			}
			test(t, p)
		})
	}
}

func TestGitHistory(t *testing.T) {
	t.Parallel()
	dir := historyDir(t)
	databases(t, func(t *testing.T, p *place) {
		begin := time.Now()
		wantIn(t, p.run("import", filepath.Join(dir, historyFile)), "31,985 events appended to 41 streams")
		imported := time.Now()
		p.run("run", "--once")
		t.Logf("import %v, run --once %v", imported.Sub(begin).Round(time.Millisecond), time.Since(imported).Round(time.Millisecond))
		wantIn(t, p.run("import", filepath.Join(dir, historyFile)), "all 31,985 events were there already")
		checkHistory(t, p, dir)
	})
}

// Killed at ten random moments of import and run, and started again, everything is as if nothing had happened.
func TestGitHistoryKilled(t *testing.T) {
	t.Parallel()
	dir := historyDir(t)
	seed := seedOf(t)
	databases(t, func(t *testing.T, p *place) {
		rng := rand.New(rand.NewPCG(seed, seed))
		p.killAtRandom(rng, victim{
			args: []string{"import", filepath.Join(dir, historyFile)},
			anew: func() { p.remove("data") },
		})
		p.killAtRandom(rng, victim{
			args: []string{"run", "--once", "--log", "INFO"}, begun: "lease acquired",
			anew: func() {
				for name := range histories {
					p.reset(name)
				}
			},
		})
		checkHistory(t, p, dir)
	})
}

// reset empties a projection. The lease of a process that was killed must run out first.
func (p *place) reset(name string) {
	p.t.Helper()
	for {
		o := p.start("reset", name, "--yes").wait()
		if o.code == 0 {
			return
		}
		if !strings.Contains(o.stderr, "lease held by another owner") {
			p.t.Fatalf("reset %s: code %d\n%s%s", name, o.code, o.stdout, o.stderr)
		}
	}
}

// seedOf returns the seed of random moments, and prints it so that a failure can be repeated.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("PROJECTOR_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("PROJECTOR_TEST_SEED:", err)
		}
	}
	t.Logf("PROJECTOR_TEST_SEED=%d", seed)
	return seed
}

// victim is a command that is killed.
type victim struct {
	args  []string
	begun string // what it prints on stderr when its work begins; empty = at once
	anew  func() // undoes its work
}

// killAtRandom kills a command five times at random moments of its work, and then lets it complete.
func (p *place) killAtRandom(rng *rand.Rand, v victim) {
	p.t.Helper()
	longest := 400 * time.Millisecond
	for killed := 0; killed < 5; {
		pr := p.start(v.args...)
		pr.until(v.begun)
		after := time.Duration(rng.Int64N(int64(longest)))
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
			_ = pr.cmd.Process.Kill()
		case <-pr.ended:
		}
		timer.Stop()
		switch o := pr.wait(); o.code {
		case -1:
			killed++
			p.t.Logf("%s: killed after %v", v.args[0], after.Round(time.Millisecond))
		case 0: // it was over too soon: be quicker
			longest = longest * 2 / 3
			v.anew()
		default:
			p.t.Fatalf("%s after kill %d: code %d\n%s%s", v.args[0], killed, o.code, o.stdout, o.stderr)
		}
	}
	p.run(v.args...)
}

// checkHistory compares every row, and how often each event was counted.
func checkHistory(t *testing.T, p *place, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, expectedFile))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]json.RawMessage
	decode(t, string(b), &expected)
	stored := p.status()
	for name, model := range histories {
		var want map[string]row
		decode(t, string(expected[name]), &want)
		got := keyed(t, p.show(name), model.key)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %d rows, want %d (-want +got):\n%.2000s", name, len(got), len(want), diff)
		}
		if s := stored[name]; s.Handled != model.handled {
			t.Errorf("%s: counted %d events, want %d", name, s.Handled, model.handled)
		}
	}
}
