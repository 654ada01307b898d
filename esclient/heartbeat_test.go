package esclient_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// TestSilentPeer lets a connection go half-open: the client must notice within interval and time-out of the last sign of
// life, connect again, and send the append again with the same id.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var first, second wire.WriteEventsBody
		var silent, noticed time.Time
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			pkg := s.expect(wire.WriteEvents)
			if err := first.Decode(pkg.Payload); err != nil {
				t.Error(err)
			}
			silent = time.Now() // the introduction was answered at this time as well
			s.mute()
			noticed = time.Now()
			s.close()
			s = p.next()
			pkg = s.expect(wire.WriteEvents)
			if err := second.Decode(pkg.Payload); err != nil {
				t.Error(err)
			}
			s.wrote(pkg, 0)
			s.drain()
		})
		c := dialPeer(t, p, esclient.WithHeartbeat(time.Second, 2*time.Second))
		_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if err != nil {
			t.Error(err)
		}
		if took := noticed.Sub(silent); took != 3*time.Second {
			t.Errorf("noticed after %v, want 3s", took)
		}
		_ = c.Close()
		wg.Wait()
		if len(first.Events) != 1 || len(second.Events) != 1 || string(first.Events[0].ID) != string(second.Events[0].ID) {
			t.Errorf("sent %v, then %v: want the same id", first, second)
		}
	})
}

// TestHeartbeatsAnswered lets the server probe a client with nothing to do.
func TestHeartbeatsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			for i := range 100 {
				time.Sleep(500 * time.Millisecond) // of the bubble
				probe := wire.Package{Command: wire.HeartbeatRequest, Correlation: wire.CorrelationID{15: byte(i), 0: 9}}
				s.send(wire.AppendPackage(nil, &probe))
				for {
					pkg, err := s.reader.Next()
					if err != nil {
						t.Error(err)
						return
					}
					if pkg.Command == wire.HeartbeatRequest {
						s.reply(pkg, wire.HeartbeatResponse, nil)
						continue
					}
					if pkg.Command != wire.HeartbeatResponse || pkg.Correlation != probe.Correlation {
						t.Errorf("got %v %v", pkg.Command, pkg.Correlation)
					}
					break
				}
			}
			s.drain()
		})
		c := dialPeer(t, p)
		time.Sleep(time.Minute)
		if got := c.Stats().Connections; got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
		_ = c.Close()
		wg.Wait()
	})
}
