package soak

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestSoakStuck has a handler ignore the end of its context for ever. The projection stops and says where it hangs, the other
// one goes on, and the process ends within its bound.
func TestSoakStuck(t *testing.T) {
	t.Parallel()
	events := size(t, 1_000, 10_000)
	for _, kind := range []string{kindSQLite, kindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kind)
			j := job{Database: d, Events: events, TTL: 20 * time.Second, Fault: stuck, At: 123}
			p := j.start(t)
			p.says("neverReturns", p.says("projection stopped", 0)) // in the stack
			store := d.store(t)
			for {
				all, err := store.List(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(all) == 2 && all[0].Handled == int64(events) && all[1].State == "stopped" {
					if st := all[1]; st.Name != "stuck" || st.Held || st.Handled > 123 || !strings.Contains(st.Reason, "neverReturns") {
						t.Errorf("stored %+v", st)
					}
					break
				}
				if err := wait(t.Context(), 10*time.Millisecond); err != nil {
					t.Fatalf("%v: %+v", err, all)
				}
			}
			began := time.Now()
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			<-p.ended
			took := time.Since(began)
			t.Logf("%s: the process ended %v after the interrupt", kind, took.Round(time.Millisecond))
			if took > shutdownBound+3*time.Second || p.cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("%v after %v:\n%s", p.err, took, p.text())
			}
		})
	}
}
