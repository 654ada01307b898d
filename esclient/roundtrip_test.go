package esclient_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
)

// TestRoundTrips counts what a first operation costs after TCP is open: one round trip for the introduction, whatever
// has to be said, and one for the operation.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		trips := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.open()
			auth := s.expect(wire.Authenticate)
			identify := s.expect(wire.IdentifyClient)
			trips++
			s.reply(auth, wire.Authenticated, nil)
			s.reply(identify, wire.ClientIdentified, nil)
			ping := s.expect(wire.Ping)
			trips++
			s.reply(ping, wire.Pong, nil)
			s.drain()
		})
		c := dialPeer(t, p, esclient.WithCredentials(esclient.Credentials{Login: "admin", Password: "changeit"}))
		if _, err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if took := c.Stats().Connections; took != 1 || trips != 2 {
			t.Errorf("%d round trips", trips)
		}
		_ = c.Close()
		wg.Wait()
	})
}
