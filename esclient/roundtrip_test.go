package esclient_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

// TestRoundTrips counts the round trips from an open TCP connection to what the caller waits for, one of them being the
// introduction: when it is the first thing after Dial, and when it follows a lost connection.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	const events = 10_000
	catchUp := func(t *testing.T, c *esclient.Client, from esclient.From, live bool, n int) {
		sub := c.SubscribeStream("s", from, esclient.SubscribeOptions{})
		defer sub.Stop()
		for {
			b, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n -= len(b.Events); n <= 0 && (b.Live || !live) {
				return
			}
		}
	}
	tests := []struct {
		name string
		want int
		do   func(t *testing.T, c *esclient.Client) error
	}{
		{"ping", 2, func(t *testing.T, c *esclient.Client) error {
			_, err := c.Ping(t.Context())
			return err
		}},
		{"append", 2, func(t *testing.T, c *esclient.Client) error {
			_, err := c.Append(t.Context(), "other", esclient.Any, numbered(0, 100)...)
			return err
		}},
		{"read event", 2, func(t *testing.T, c *esclient.Client) error {
			_, err := c.ReadEvent(t.Context(), "s", 7, esclient.ReadOptions{})
			return err
		}},
		{"live", 2, func(t *testing.T, c *esclient.Client) error {
			sub := c.SubscribeLive("s", esclient.SubscribeOptions{})
			defer sub.Stop()
			return sub.Confirmed(t.Context())
		}},
		{"group", 2, func(t *testing.T, c *esclient.Client) error {
			sub := c.SubscribePersistent("s", "g", esclient.PersistentOptions{})
			defer sub.Stop()
			_, err := sub.Next(t.Context())
			return err
		}},
		{"first event of a catch-up", 2, func(t *testing.T, c *esclient.Client) error {
			catchUp(t, c, esclient.FromStart(), false, 1)
			return nil
		}},
		{"catch-up is live", 3, func(t *testing.T, c *esclient.Client) error {
			catchUp(t, c, esclient.AfterNumber(events-11), true, 10)
			return nil
		}},
		{"catch-up of all", 6, func(t *testing.T, c *esclient.Client) error { // 20 pages, all but the first 5 at a time
			catchUp(t, c, esclient.FromStart(), false, events)
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := newPipeNetwork()
				node, err := esnode.Start(esnode.Listener(network), esnode.SystemProjections(false))
				if err != nil {
					t.Fatal(err)
				}
				filler, err := esclient.Dial(t.Context(), node.URL(), esclient.WithDialer(network.DialContext))
				if err != nil {
					t.Fatal(err)
				}
				fill(t, filler, "s", events)
				settings := esclient.DefaultPersistentSettings()
				settings.StartFrom = 0
				if err := filler.CreatePersistent(t.Context(), "s", "g", settings); err != nil {
					t.Fatal(err)
				}
				line := &longLine{dial: network.DialContext, trip: 100 * time.Millisecond}
				c, err := esclient.Dial(t.Context(), node.URL(), esclient.WithDialer(line.DialContext))
				if err != nil {
					t.Fatal(err)
				}
				for _, when := range []string{"after Dial", "after a reconnect"} {
					if err := tt.do(t, c); err != nil {
						t.Fatal(err)
					}
					// Less than a tenth of a trip is what timers, such as that of coalesced acks, add.
					if got := line.trips(); got < float64(tt.want) || got >= float64(tt.want)+0.1 {
						t.Errorf("%s: %.2f round trips, want %d", when, got, tt.want)
					}
					line.cut()
					synctest.Wait()
				}
				_ = c.Close()
				_ = filler.Close()
				_ = node.Close()
				line.cut()
				line.wg.Wait()
			})
		})
	}
}
