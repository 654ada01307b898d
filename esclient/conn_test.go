package esclient_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
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

// TestGarbage sends answers that make no sense. Each must fail the operation with a typed error, or let it be tried
// again, replace the connection, and leave the client working.
func TestGarbage(t *testing.T) {
	t.Parallel()
	length := func(n int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	tests := []struct {
		name  string
		send  func(s *session, pkg wire.Package)
		fails error  // of the operation; nil = it is sent again and succeeds
		cause string // why the connection was replaced; empty = it was not
	}{
		{"absurd length", func(s *session, _ wire.Package) { s.send(length(-1)) }, nil, "invalid frame: length -1"},
		{"huge length", func(s *session, _ wire.Package) { s.send(length(1 << 30)) }, nil, "invalid frame: length 1073741824"},
		{"http", func(s *session, _ wire.Package) { s.send([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, nil, "HTTP port"},
		{"short package", func(s *session, _ wire.Package) { s.send(append(length(2), 1, 0)) }, nil, "malformed package"},
		{"unknown command", func(s *session, _ wire.Package) {
			s.send(wire.AppendPackage(nil, &wire.Package{Command: 0x77, Correlation: wire.CorrelationID{1}}))
		}, nil, "unknown command"},
		{"unknown command as an answer", func(s *session, p wire.Package) { s.reply(p, 0x77, nil) }, esclient.ErrProtocol, "command 0x77"},
		{"wrong command as an answer", func(s *session, p wire.Package) { s.reply(p, wire.ReadEventCompleted, nil) }, esclient.ErrProtocol, "not an answer"},
		{"broken body", func(s *session, p wire.Package) { s.reply(p, wire.WriteEventsCompleted, []byte{0x0a, 0xff}) }, esclient.ErrProtocol, "invalid message"},
		{"bad request for the connection", func(s *session, _ wire.Package) {
			s.send(wire.AppendPackage(nil, &wire.Package{Command: wire.BadRequest, Payload: []byte("too much")}))
		}, nil, "too much"},
		{"cut in the middle of a frame", func(s *session, p wire.Package) {
			s.send(append(length(100), 1, 2, 3))
			s.close()
		}, nil, "EOF"},
		{"absent fields", func(s *session, p wire.Package) { s.reply(p, wire.WriteEventsCompleted, nil) }, nil, ""},
		{"late answer", func(s *session, p wire.Package) {
			s.reply(wire.Package{Correlation: wire.CorrelationID{8, 8}}, wire.WriteEventsCompleted, nil)
			s.wrote(p, 0)
		}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				var mu sync.Mutex
				var causes []string
				var wg sync.WaitGroup
				wg.Go(func() {
					s := p.next()
					tt.send(s, s.expect(wire.WriteEvents))
					if tt.cause != "" {
						s.drain()
						s = p.next()
					}
					for {
						pkg, ok := s.read()
						if !ok {
							s.close()
							return
						}
						s.wrote(pkg, 0)
					}
				})
				c := dialPeer(t, p, esclient.WithObserver(func(e esclient.ConnEvent) {
					mu.Lock()
					defer mu.Unlock()
					if e.State == esclient.Disconnected {
						causes = append(causes, e.Err.Error())
					}
				}))
				_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
				if !errors.Is(err, tt.fails) {
					t.Errorf("got %v, want %v", err, tt.fails)
				}
				if tt.fails != nil && !errors.Is(err, esclient.ErrUnknownOutcome) {
					t.Errorf("%v: an append that got garbage for an answer has no known outcome", err)
				}
				if _, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"}); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				_ = c.Close()
				wg.Wait()
				got := strings.Join(causes, "; ")
				if len(causes) > 1 || !strings.Contains(got, tt.cause) || tt.cause == "" && got != "" {
					t.Errorf("connection replaced because of %q, want %q", got, tt.cause)
				}
			})
		})
	}
}

func TestContextCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		cancelled := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			first := s.expect(wire.WriteEvents)
			close(cancelled)
			second := s.expect(wire.WriteEvents)
			s.wrote(first, 7) // late
			s.wrote(second, 8)
			s.drain()
		})
		c := dialPeer(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-cancelled
			cancel()
		}()
		began := time.Now()
		_, err := c.Append(ctx, "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, esclient.ErrUnknownOutcome) || esclient.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		got, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if err != nil || got.First != 8 {
			t.Errorf("the next one: %v %v", got, err)
		}
		if n := c.Stats().Connections; n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		_ = c.Close()
		wg.Wait()
	})
}

// TestCloseWithPending closes a client with a thousand operations of all kinds on their way.
func TestCloseWithPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.mute()
			s.close()
		})
		c := dialPeer(t, p)
		const n = 250
		errs := make(chan error, 5*n)
		var callers sync.WaitGroup
		for i := range n {
			callers.Go(func() {
				_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
				errs <- err
			})
			callers.Go(func() {
				_, err := c.ReadStream(t.Context(), "s", 0, esclient.ReadOptions{})
				errs <- err
			})
			callers.Go(func() {
				_, err := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{}).Next(t.Context())
				errs <- err
			})
			callers.Go(func() {
				sub := c.SubscribeLive(fmt.Sprint(i), esclient.SubscribeOptions{})
				_, err := sub.Next(t.Context())
				errs <- err
				<-sub.Done()
			})
			pending := c.AppendAsync(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
			callers.Go(func() {
				_, err := pending.Wait(context.Background())
				errs <- err
			})
		}
		synctest.Wait()
		if got := c.Stats().InFlight; got != 5*n {
			t.Errorf("%d in flight, want %d", got, 5*n)
		}
		_ = c.Close()
		callers.Wait()
		wg.Wait()
		for range 5 * n {
			if err := <-errs; !errors.Is(err, esclient.ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
		if _, err := c.Append(t.Context(), "s", esclient.Any); !errors.Is(err, esclient.ErrClosed) || !esclient.SafeToRetry(err) {
			t.Errorf("afterwards: %v", err)
		}
		if err := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{}).Err(); !errors.Is(err, esclient.ErrClosed) {
			t.Errorf("subscribe afterwards: %v", err)
		}
		_ = c.Close()
	})
}

// TestReconnectLimit gives up after so many attempts in a row, with delays that grow.
func TestReconnectLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.setDown(true)
		var delays []time.Duration
		var closed error
		c := dialPeer(t, p, esclient.WithLazyDial(),
			esclient.WithReconnect(esclient.Backoff{Min: 100 * time.Millisecond, Max: time.Second, Attempts: 8}),
			esclient.WithObserver(func(e esclient.ConnEvent) {
				switch e.State {
				case esclient.Reconnecting:
					delays = append(delays, e.Delay)
				case esclient.Closed:
					closed = e.Err
				}
			}))
		_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, esclient.ErrClosed) || !errors.Is(err, esclient.ErrNotConnected) {
			t.Errorf("got %v", err)
		}
		_ = c.Close()
		if len(p.addresses()) != 8 || len(delays) != 7 || closed == nil {
			t.Errorf("dialled %d times with delays %v, closed because of %v", len(p.addresses()), delays, closed)
		}
		for i, d := range delays {
			full := min(100*time.Millisecond<<i, time.Second)
			if d < full/2 || d > full {
				t.Errorf("delay %d is %v, want %v to %v", i, d, full/2, full)
			}
		}
	})
}

// TestHandshakeTimeout lets a starting server leave the introduction unanswered.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.reply(s.expect(wire.Ping), wire.Pong, nil)
			s.close()
			s = p.open()
			s.mute()
			s.close()
			s = p.open()
			s.reply(s.expect(wire.IdentifyClient), wire.ClientIdentified, nil)
			s.reply(s.expect(wire.Ping), wire.Pong, nil)
			s.drain()
		})
		c := dialPeer(t, p)
		began := time.Now()
		for range 2 {
			if _, err := c.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took < esclient.DefaultHandshakeTimeout || took > esclient.DefaultHandshakeTimeout+time.Second {
			t.Errorf("took %v", took)
		}
		_ = c.Close()
		wg.Wait()
	})
}

// TestAmbiguous turns retries of ambiguous appends off: those with an exact version are sent again nevertheless.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.expect(wire.WriteEvents)
			s.close()
			s = p.next()
			s.expect(wire.WriteEvents)
			s.close()
			s = p.next()
			s.wrote(s.expect(wire.WriteEvents), 6)
			s.drain()
		})
		c := dialPeer(t, p, esclient.WithRetryAmbiguous(false))
		_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, esclient.ErrUnknownOutcome) || !errors.Is(err, esclient.ErrNotConnected) {
			t.Errorf("any version: %v", err)
		}
		if got, err := c.Append(t.Context(), "s", 5, esclient.NewEvent{Type: "t"}); err != nil || got.First != 6 {
			t.Errorf("exact version: %v %v", got, err)
		}
		_ = c.Close()
		wg.Wait()
	})
}

// TestBackPressure fills the limit of operations in flight: the next one waits, and ends with its context.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			var got []wire.Package
			for range 3 {
				got = append(got, s.expect(wire.WriteEvents))
			}
			<-release
			s.wrote(got[0], 0)
			s.wrote(s.expect(wire.WriteEvents), 3)
			s.drain()
		})
		c := dialPeer(t, p, esclient.WithInFlight(3))
		for range 3 {
			c.AppendAsync(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := c.Append(ctx, "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, context.DeadlineExceeded) || !esclient.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		cancel()
		time.AfterFunc(time.Second, func() { close(release) })
		if got, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"}); err != nil || got.First != 3 {
			t.Errorf("got %v %v", got, err)
		}
		_ = c.Close()
		wg.Wait()
	})
}

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
