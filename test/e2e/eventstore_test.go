//go:build e2e

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// The event store is killed and started again while events are imported, and while they are handled.
func TestEventStoreKilled(t *testing.T) {
	t.Parallel()
	undisturbed := newPlace(t, "projector.yaml")
	undisturbed.run("run", "--once")
	want := keyed(t, undisturbed.show("ponies"), "name")
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seedOf(t), 2))
			p := newPlace(t, "projector.yaml")
			address := freeAddress(t)
			node := []string{"node", "--dir", filepath.Join(p.dir, "log"), "--tcp", address, "--http", "off"}
			args := []string{"--eventstore", "tcp://admin:changeit@" + address}
			if database == "postgres" {
				args = append(args, "--database", pgtest.Database(t))
			}
			store := p.startNode(node)
			kill := func(client ...string) (kills int) {
				running := p.start(append(client, args...)...)
				for {
					timer := time.NewTimer(time.Duration(rng.Int64N(int64(150 * time.Millisecond))))
					if kills == 10 {
						timer.Stop()
					}
					select {
					case <-running.ended:
						timer.Stop()
						if o := running.wait(); o.code != 0 {
							t.Fatalf("%s: code %d\n%s%s", client[0], o.code, o.stdout, o.stderr)
						}
						return kills
					case <-timer.C:
						_ = store.cmd.Process.Kill() // it runs
						store.wait()
						kills++
						store = p.startNode(node)
					}
				}
			}
			imports := kill("import", filepath.Join("examples", "ponies", "events.jsonl"))
			runs := kill("run", "--once")
			p.args = args
			if diff := cmp.Diff(want, keyed(t, p.show("ponies"), "name")); diff != "" {
				t.Errorf("rows: %.2000s", diff)
			}
			s := p.status()["ponies"]
			t.Logf("%s: the event store was killed %d times during the import and %d times during the run; %d events handled, %d ignored",
				database, imports, runs, s.Handled, s.Ignored)
			if s.Handled != 7166 || s.Ignored != 1908 || imports+runs == 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// startNode starts an event store of its own and returns when it serves.
func (p *place) startNode(args []string) *process {
	p.t.Helper()
	node := startIn(p.t, p.dir, os.Getenv("PROJECTOR_BINARY"), args...)
	node.untilIn(&node.stdout, "\n")
	return node
}
