package esclient_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
)

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
