package esclient_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
	"github.com/photonpump/projector/esclient/internal/wire/wirepb"
)

// notLeader is the answer of a node that names another as the leader.
func notLeader(t *testing.T, leader *esnode.Node) esnode.Fault {
	t.Helper()
	host, text, err := net.SplitHostPort(leader.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	info, err := proto.Marshal(&wirepb.LeaderInfo{
		ExternalTcpAddress: &host, ExternalTcpPort: proto.Int32(int32(port)),
		ExternalHttpAddress: &host, ExternalHttpPort: proto.Int32(2113),
	})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := proto.Marshal(&wirepb.NotHandled{Reason: wirepb.NotHandled_REASON_NOT_LEADER.Enum(), AdditionalInfo: info})
	if err != nil {
		t.Fatal(err)
	}
	return esnode.Fault{Answer: &esnode.Package{Command: esnode.NotHandled, Payload: payload}}
}

// In an election two nodes may each name the other. The first redirect is followed at once, the others with the delay of
// a reconnect, so that they are not hammered.
func TestRedirectsInACircle(t *testing.T) {
	t.Parallel()
	a, b := startNode(t), startNode(t)
	a.Intercept(esnode.ReadStreamEventsForward, esnode.Always(notLeader(t, b)))
	b.Intercept(esnode.ReadStreamEventsForward, esnode.Always(notLeader(t, a)))
	delays := 0
	enough := make(chan struct{})
	c := dial(t, a.URL(), esclient.WithReconnect(esclient.Backoff{Min: time.Millisecond, Max: time.Hour, Attempts: esclient.Unlimited}),
		esclient.WithObserver(func(e esclient.ConnEvent) { // called by one goroutine
			if e.State == esclient.Reconnecting {
				if delays++; delays == 5 {
					close(enough)
				}
			}
		}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sub := c.SubscribeStream("s", esclient.FromStart(), esclient.SubscribeOptions{})
	defer sub.Stop()
	go func() { // ends with ctx
		_, _ = sub.Next(ctx)
	}()
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Fatal("redirects are followed without a delay")
	}
}

// What a node has refused is not in doubt, although the connection ends over it.
func TestRedirectedAppendIsNotInDoubt(t *testing.T) {
	t.Parallel()
	follower, leader := startNode(t), startNode(t)
	follower.Intercept(esnode.WriteEvents, esnode.Always(notLeader(t, leader)))
	c := dial(t, follower.URL(), esclient.WithRetryAmbiguous(false))
	fill(t, c, "s", 1)
	if _, err := dial(t, leader.URL()).ReadEvent(t.Context(), "s", 0, esclient.ReadOptions{}); err != nil {
		t.Error(err)
	}
	c = dial(t, follower.URL(), esclient.WithRetries(0))
	_, err := c.Append(t.Context(), "s", esclient.Any, numbered(1, 1)...)
	if !errors.Is(err, esclient.ErrNotHandled) || errors.Is(err, esclient.ErrUnknownOutcome) {
		t.Errorf("without retries: %v", err)
	}
}
