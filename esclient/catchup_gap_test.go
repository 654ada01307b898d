package esclient_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// TestPageBeforeConfirmation lets an event be written between the page that a catch-up asks for along with its
// subscription, and that subscription: neither has it. Whatever the confirmation says, the event must come.
func TestPageBeforeConfirmation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		last *int64 // event number of the confirmation
	}{
		{"number", proto.Int64(2)},
		{"no number", nil},
		{"number of a deleted stream", proto.Int64(math.MaxInt64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				var wg sync.WaitGroup
				wg.Go(func() {
					s := p.next()
					s.page(s.expect(wire.ReadStreamEventsForward), 0, 1)
					subscribe := s.expect(wire.SubscribeToStream)
					s.page(s.expect(wire.ReadStreamEventsForward), 2, 1)
					s.replyProto(subscribe, wire.SubscriptionConfirmation, &wirepb.SubscriptionConfirmation{LastEventNumber: tt.last})
					s.page(s.expect(wire.ReadStreamEventsForward), 2, 2)
					s.drain()
				})
				c := dialPeer(t, p)
				sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
				if n := nextLive(t, sub); n != 3 {
					t.Errorf("live after %d events, want 3", n)
				}
				_ = c.Close()
				wg.Wait()
			})
		})
	}
}

// page answers a read with the events from first to last, which is the end of the stream.
func (s *session) page(to wire.Package, first, last int64) {
	page := wire.StreamPage{Next: last + 1, Last: last, EndOfStream: true}
	for n := first; n <= last; n++ {
		page.Events = append(page.Events, wire.Resolved{HasEvent: true, Event: wire.Record{
			Stream: []byte("s"), Number: n, ID: make([]byte, 16), Type: []byte("counted"), Data: fmt.Append(nil, n),
		}})
	}
	s.reply(to, wire.ReadStreamEventsForwardCompleted, page.Append(nil))
}
