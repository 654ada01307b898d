package esclient_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// TestNotHandled answers requests with what a server says that cannot handle them now.
func TestNotHandled(t *testing.T) {
	t.Parallel()
	for _, reason := range []wirepb.NotHandled_Reason{wirepb.NotHandled_REASON_NOT_READY, wirepb.NotHandled_REASON_TOO_BUSY, 99} {
		t.Run(reason.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				var wg sync.WaitGroup
				wg.Go(func() {
					s := p.next()
					seen := map[wire.CorrelationID]bool{}
					for range 3 {
						pkg := s.expect(wire.WriteEvents)
						if seen[pkg.Correlation] {
							t.Error("sent again under the same correlation id")
						}
						seen[pkg.Correlation] = true
						s.replyProto(pkg, wire.NotHandled, &wirepb.NotHandled{Reason: reason.Enum()})
					}
					s.wrote(s.expect(wire.WriteEvents), 0)
					s.drain()
				})
				c := dialPeer(t, p)
				began := time.Now()
				if _, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"}); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took <= 0 || took > time.Second {
					t.Errorf("took %v", took)
				}
				_ = c.Close()
				wg.Wait()
			})
		})
	}
}

func TestNotHandledForTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		tries := 0
		wg.Go(func() {
			s := p.next()
			for {
				pkg, ok := s.read()
				if !ok {
					s.close()
					return
				}
				tries++
				s.replyProto(pkg, wire.NotHandled, &wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_READY.Enum()})
			}
		})
		c := dialPeer(t, p, esclient.WithRetries(4))
		_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, esclient.ErrNotHandled) || !strings.Contains(err.Error(), "not ready") {
			t.Errorf("got %v", err)
		}
		_ = c.Close()
		wg.Wait()
		if tries != 5 {
			t.Errorf("sent %d times, want once and four more", tries)
		}
	})
}

// TestRedirect sends the client to the leader; the append goes there. Without the leader it starts over.
func TestRedirect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		leader := &wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_LEADER.Enum()}
		leader.AdditionalInfo, _ = proto.Marshal(&wirepb.LeaderInfo{
			ExternalTcpAddress: proto.String("10.0.0.2"), ExternalTcpPort: proto.Int32(1114),
			ExternalSecureTcpAddress: proto.String("10.0.0.2"), ExternalSecureTcpPort: proto.Int32(1115),
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.replyProto(s.expect(wire.WriteEvents), wire.NotHandled, leader)
			s.drain()
			s = p.next()
			s.replyProto(s.expect(wire.WriteEvents), wire.NotHandled, leader) // the leader of a moment ago
			s.wrote(s.expect(wire.WriteEvents), 3)
			s.close()
			s = p.next()
			s.wrote(s.expect(wire.WriteEvents), 4)
			s.drain()
		})
		c := dialPeer(t, p)
		got, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if err != nil || got.First != 3 {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err = c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"}); err != nil || got.First != 4 {
			t.Errorf("got %v, %v", got, err)
		}
		_ = c.Close()
		wg.Wait()
		want := "node:1113 10.0.0.2:1114 node:1113"
		if got := strings.Join(p.addresses(), " "); got != want {
			t.Errorf("dialled %s, want %s", got, want)
		}
	})
}

// TestRedirectWithoutTLS names a leader without a TLS port to a client that wants TLS: its password is not sent in the
// clear, and the error says what to do.
func TestRedirectWithoutTLS(t *testing.T) {
	t.Parallel()
	certificate := newAuthority(t).Certificate
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		leader := &wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_LEADER.Enum()}
		leader.AdditionalInfo, _ = proto.Marshal(&wirepb.LeaderInfo{ExternalTcpAddress: proto.String("10.0.0.2"), ExternalTcpPort: proto.Int32(1114)})
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.secure(certificate)
			for range 2 {
				s.replyProto(s.expect(wire.WriteEvents), wire.NotHandled, leader)
			}
			s.drain()
		})
		c, err := esclient.Dial(t.Context(), "tls://node:1113?tls-verify=false", esclient.WithDialer(p.DialContext), esclient.WithRetries(1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		const want = "the leader at 10.0.0.2:1114 names no TLS port, and this client was told to use TLS: give each node one, or connect over tcp://"
		if !errors.Is(err, esclient.ErrNotHandled) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
		_ = c.Close()
		wg.Wait()
		if got := strings.Join(p.addresses(), " "); got != "node:1113" {
			t.Errorf("dialled %s", got)
		}
	})
}

// TestOperationTimeout lets an answer be lost while the connection lives.
func TestOperationTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			first := s.expect(wire.WriteEvents)
			second := s.expect(wire.WriteEvents)
			if first.Correlation == second.Correlation {
				t.Error("sent again under the same correlation id")
			}
			s.wrote(first, 1) // late, and dropped
			s.wrote(second, 2)
			s.drain()
		})
		c := dialPeer(t, p)
		began := time.Now()
		got, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if err != nil || got.First != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		if took := time.Since(began); took != esclient.DefaultOperationTimeout {
			t.Errorf("sent again after %v", took)
		}
		began = time.Now()
		_, err = c.With(esclient.Call{Timeout: time.Second, Retries: 2}).Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, esclient.ErrTimeout) || !errors.Is(err, esclient.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("gave up after %v, want 3s", took)
		}
		_ = c.Close()
		wg.Wait()
	})
}

// TestWithoutConnection bounds how long operations wait for a connection, and says that nothing was sent.
func TestWithoutConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.setDown(true)
		c := dialPeer(t, p, esclient.WithLazyDial())
		began := time.Now()
		_, err := c.With(esclient.Call{Timeout: time.Second, Retries: 1}).Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		if !errors.Is(err, esclient.ErrNotConnected) || !esclient.SafeToRetry(err) || errors.Is(err, esclient.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("gave up after %v", took)
		}
		pending := c.AppendAsync(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
		p.setDown(false)
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.wrote(s.expect(wire.WriteEvents), 5)
			s.drain()
		})
		if got, err := pending.Wait(t.Context()); err != nil || got.First != 5 {
			t.Errorf("got %v %v", got, err)
		}
		_ = c.Close()
		wg.Wait()
	})
}

// TestAmbiguous turns retries of ambiguous appends off, and loses the outcome twice: the append with an exact version is
// sent again nevertheless.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	timedOut := wire.WriteEventsCompletedBody{Result: wirepb.OperationResult_OPERATION_RESULT_COMMIT_TIMEOUT}
	tests := []struct {
		name string
		lose func(p *peer, s *session) *session
		why  error
	}{
		{"connection lost", func(p *peer, s *session) *session {
			s.expect(wire.WriteEvents)
			s.close()
			return p.next()
		}, esclient.ErrNotConnected},
		{"time-out of the server", func(_ *peer, s *session) *session {
			s.reply(s.expect(wire.WriteEvents), wire.WriteEventsCompleted, timedOut.Append(nil))
			return s
		}, esclient.ErrTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				var wg sync.WaitGroup
				wg.Go(func() {
					s := tt.lose(p, tt.lose(p, p.next()))
					s.wrote(s.expect(wire.WriteEvents), 6)
					s.drain()
				})
				c := dialPeer(t, p, esclient.WithRetryAmbiguous(false))
				_, err := c.Append(t.Context(), "s", esclient.Any, esclient.NewEvent{Type: "t"})
				if !errors.Is(err, esclient.ErrUnknownOutcome) || !errors.Is(err, tt.why) {
					t.Errorf("any version: %v", err)
				}
				if got, err := c.Append(t.Context(), "s", 5, esclient.NewEvent{Type: "t"}); err != nil || got.First != 6 {
					t.Errorf("exact version: %v %v", got, err)
				}
				_ = c.Close()
				wg.Wait()
			})
		})
	}
}

// TestCreateGroupTwice tells a group that was there before from one that a lost answer was about.
func TestCreateGroupTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		exists := &wirepb.CreatePersistentSubscriptionCompleted{Result: wirepb.CreatePersistentSubscriptionCompleted_RESULT_ALREADY_EXISTS.Enum()}
		notReady := &wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_READY.Enum()}
		var wg sync.WaitGroup
		wg.Go(func() {
			s := p.next()
			s.expect(wire.CreatePersistentSubscription)
			s.close()
			s = p.next()
			s.replyProto(s.expect(wire.CreatePersistentSubscription), wire.CreatePersistentSubscriptionCompleted, exists)
			s.replyProto(s.expect(wire.CreatePersistentSubscription), wire.NotHandled, notReady)
			s.replyProto(s.expect(wire.CreatePersistentSubscription), wire.CreatePersistentSubscriptionCompleted, exists)
			s.drain()
		})
		c := dialPeer(t, p)
		if err := c.CreatePersistent(t.Context(), "s", "g", esclient.DefaultPersistentSettings()); err != nil {
			t.Errorf("after a lost answer: %v", err)
		}
		err := c.CreatePersistent(t.Context(), "s", "g", esclient.DefaultPersistentSettings())
		if !errors.Is(err, esclient.ErrAlreadyExists) {
			t.Errorf("after not ready: %v", err)
		}
		_ = c.Close()
		wg.Wait()
	})
}
