//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// Two processes on one configuration: one owns each projection, the other waits. When the first is killed, the second
// takes over, with the embedded event store if the first ran that.
func TestTakeover(t *testing.T) {
	t.Parallel()
	const ttl = 10 * time.Second // of the leases, by default
	for name, remote := range map[string]bool{"embedded event store": false, "event store of its own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "projector.yaml")
			if remote {
				node := p.start("node")
				out := node.untilIn(&node.stdout, "\n")
				p.args = []string{"--eventstore", "tcp://admin:changeit@" + between(out, "tcp://", "\n")}
			}
			first := p.start("run")
			first.until("Ctrl-C ends")
			second := p.start("run")
			second.until("Ctrl-C ends") // as a standby
			before := p.status()
			for _, s := range before {
				if s.State != "live" {
					t.Errorf("before: %+v", s)
				}
			}

			if err := first.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			first.wait()
			killed := time.Now()
			p.run("append", "pony_stream", "pony.jumped", `{"name":"Applejack","height_m":9.5}`)
			eventually(t, "the second process has handled the jump", func() bool {
				return keyed(t, p.show("ponies"), "name")["Applejack"]["best_m"] == 9.5
			})
			took := time.Since(killed)
			t.Logf("taken over and handled %v after the kill", took.Round(time.Millisecond))
			if took > ttl+5*time.Second {
				t.Errorf("the takeover took %v, want at most the ttl of %v and a little", took, ttl)
			}
			eventually(t, "the second process owns every projection", func() bool {
				for name, s := range p.status() {
					if s.State != "live" || s.Owner == "" || s.Owner == before[name].Owner {
						return false
					}
				}
				return true
			})
			if s := p.status()["ponies"]; s.Handled+s.Ignored != 9075 {
				t.Errorf("counted %d events, want 9075", s.Handled+s.Ignored)
			}
		})
	}
}
