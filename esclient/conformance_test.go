package esclient_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
	"github.com/photonpump/projector/esclient/internal/wire/wiretest"
)

// TestConformance plays every recorded conversation to a client: for each recorded request the client is asked to do the
// same, gets the answers of the real server, and must make of them what the recording says they hold.
func TestConformance(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	played := map[wire.Command]int{}
	t.Run("conversations", func(t *testing.T) {
		for _, conversation := range wiretest.Conversations(t) {
			t.Run(conversation.Name, func(t *testing.T) {
				t.Parallel()
				for _, e := range exchanges(t, &conversation) {
					if playExchange(t, e) {
						mu.Lock()
						played[e.request.Command]++
						mu.Unlock()
					}
				}
			})
		}
	})
	// Enough of each, so that a change of the format cannot make the test do nothing.
	for cmd, want := range map[wire.Command]int{
		wire.WriteEvents: 450, wire.ReadEvent: 200, wire.ReadStreamEventsForward: 170, wire.ReadStreamEventsBackward: 50,
		wire.ReadAllEventsForward: 25, wire.ReadAllEventsBackward: 14, wire.DeleteStream: 70, wire.TransactionStart: 30,
		wire.TransactionWrite: 25, wire.TransactionCommit: 30, wire.SubscribeToStream: 40,
		wire.ConnectToPersistentSubscription: 75, wire.CreatePersistentSubscription: 45, wire.UpdatePersistentSubscription: 8,
		wire.DeletePersistentSubscription: 12, wire.Ping: 25,
	} {
		if played[cmd] < want {
			t.Errorf("%v: %d recorded requests were played, want %d at least", cmd, played[cmd], want)
		}
	}
}

// stage is a server that gives one set of answers to one kind of request.
type stage struct {
	*peer
	exchange *exchange
	wg       sync.WaitGroup
}

func (s *stage) serve() { // ends when accept is closed
	for conn := range s.accept {
		s.wg.Go(func() { // ends with the connection
			ses := &session{t: s.t, conn: conn, reader: wire.NewReader(conn, 0, nil)}
			defer ses.close()
			for {
				p, ok := ses.read()
				if !ok {
					return
				}
				switch p.Command {
				case wire.IdentifyClient:
					ses.reply(p, wire.ClientIdentified, nil)
				case s.exchange.request.Command:
					for _, a := range s.exchange.answers {
						if a.Command == wire.SubscriptionDropped && len(a.Payload) == 0 {
							break // the recorder had unsubscribed
						}
						ses.reply(p, a.Command, a.Payload)
					}
				}
			}
		})
	}
}

func playExchange(t *testing.T, e *exchange) bool {
	s := &stage{peer: newPeer(t), exchange: e}
	var serving sync.WaitGroup
	serving.Go(s.serve)
	c, err := esclient.Dial(t.Context(), "tcp://node:1113", esclient.WithDialer(s.DialContext), esclient.WithRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a hanging test should say which
	done := play(ctx, t, c, e)
	cancel()
	_ = c.Close()
	close(s.accept)
	serving.Wait()
	s.wg.Wait()
	return done
}

// play makes the client do what was recorded, and checks what comes of it. It reports whether there was something to do.
func play(ctx context.Context, t *testing.T, c *esclient.Client, e *exchange) bool {
	asked, told := e.asked, e.told[0]
	switch e.request.Command {
	case wire.Ping:
		_, err := c.Ping(ctx)
		e.check(t, err, wire.Pong, nil)
	case wire.WriteEvents:
		events := make([]esclient.NewEvent, len(asked.list("3")))
		for i := range events {
			events[i] = esclient.NewEvent{Type: "T"}
		}
		got, err := c.Append(ctx, asked.text("1"), esclient.ExpectedVersion(asked.int("2")), events...)
		e.check(t, err, wire.WriteEventsCompleted, operationError(told.int("1")))
		if err == nil && (got.First != told.int("3") || got.Last != told.int("4") ||
			got.Position != esclient.Position{Commit: told.int("6"), Prepare: told.int("5")}) {
			t.Errorf("%s: got %+v, want %v", e.where, got, told)
		}
		var wrong *esclient.WrongVersionError
		if _, says := told["7"]; errors.As(err, &wrong) && (wrong.Known != says || wrong.Current != told.int("7")) {
			t.Errorf("%s: got %+v, want %v", e.where, wrong, told)
		}
	case wire.ReadEvent:
		got, err := c.ReadEvent(ctx, asked.text("1"), asked.int("2"), esclient.ReadOptions{})
		want := readEventError(told)
		e.check(t, err, wire.ReadEventCompleted, want)
		if err == nil {
			e.checkEvent(t, &got, told.message("2"))
		}
	case wire.ReadStreamEventsForward, wire.ReadStreamEventsBackward:
		got, err := c.ReadStream(ctx, asked.text("1"), asked.int("2"), esclient.ReadOptions{
			PageSize: int(asked.int("3")), Backward: e.request.Command == wire.ReadStreamEventsBackward,
		})
		e.check(t, err, e.request.Command+1, readStreamError(told.int("2")))
		if err == nil {
			if got.Next != told.int("3") || got.Last != told.int("4") || got.End != (told.int("5") != 0) {
				t.Errorf("%s: got %+v, want %v", e.where, got, told)
			}
			e.checkEvents(t, got.Events, told.list("1"))
		}
	case wire.ReadAllEventsForward, wire.ReadAllEventsBackward:
		from := esclient.Position{Commit: asked.int("1"), Prepare: asked.int("2")}
		got, err := c.ReadAll(ctx, from, esclient.ReadOptions{
			PageSize: int(asked.int("3")), Backward: e.request.Command == wire.ReadAllEventsBackward,
		})
		e.check(t, err, e.request.Command+1, readAllError(told.int("6")))
		if err == nil {
			want := esclient.AllPage{
				Events: got.Events, End: len(told.list("3")) == 0,
				From: esclient.Position{Commit: told.int("1"), Prepare: told.int("2")},
				Next: esclient.Position{Commit: told.int("4"), Prepare: told.int("5")},
			}
			if got.From != want.From || got.Next != want.Next || got.End != want.End {
				t.Errorf("%s: got %+v, want %+v", e.where, got, want)
			}
			e.checkEvents(t, got.Events, told.list("3"))
		}
	case wire.DeleteStream:
		remove := c.Delete
		if asked.int("4") != 0 {
			remove = c.Tombstone
		}
		got, err := remove(ctx, asked.text("1"), esclient.ExpectedVersion(asked.int("2")))
		e.check(t, err, wire.DeleteStreamCompleted, operationError(told.int("1")))
		if err == nil && got != (esclient.Position{Commit: told.int("4"), Prepare: told.int("3")}) {
			t.Errorf("%s: got %v, want %v", e.where, got, told)
		}
	case wire.TransactionStart:
		got, err := c.StartTransaction(ctx, asked.text("1"), esclient.ExpectedVersion(asked.int("2")))
		e.check(t, err, wire.TransactionStartCompleted, operationError(told.int("2")))
		if err == nil && got.ID() != told.int("1") {
			t.Errorf("%s: got %d, want %v", e.where, got.ID(), told)
		}
	case wire.TransactionWrite:
		err := c.ContinueTransaction(asked.int("1"), "s").Write(ctx, esclient.NewEvent{Type: "T"})
		e.check(t, err, wire.TransactionWriteCompleted, operationError(told.int("2")))
	case wire.TransactionCommit:
		got, err := c.ContinueTransaction(asked.int("1"), "s").Commit(ctx)
		e.check(t, err, wire.TransactionCommitCompleted, operationError(told.int("2")))
		if err == nil && (got.First != told.int("4") || got.Last != told.int("5")) {
			t.Errorf("%s: got %+v, want %v", e.where, got, told)
		}
	case wire.CreatePersistentSubscription:
		err := c.CreatePersistent(ctx, asked.text("2"), asked.text("1"), esclient.DefaultPersistentSettings())
		e.check(t, err, wire.CreatePersistentSubscriptionCompleted,
			oneOf(told.int("1"), nil, esclient.ErrAlreadyExists, errAnything, esclient.ErrAccessDenied))
	case wire.UpdatePersistentSubscription:
		err := c.UpdatePersistent(ctx, asked.text("2"), asked.text("1"), esclient.DefaultPersistentSettings())
		e.check(t, err, wire.UpdatePersistentSubscriptionCompleted,
			oneOf(told.int("1"), nil, esclient.ErrNotFound, errAnything, esclient.ErrAccessDenied))
	case wire.DeletePersistentSubscription:
		err := c.DeletePersistent(ctx, asked.text("2"), asked.text("1"))
		e.check(t, err, wire.DeletePersistentSubscriptionCompleted,
			oneOf(told.int("1"), nil, esclient.ErrNotFound, errAnything, esclient.ErrAccessDenied))
	case wire.SubscribeToStream:
		e.checkPushes(ctx, t, c.SubscribeLive(asked.text("1"), esclient.SubscribeOptions{}), wire.StreamEventAppeared)
	case wire.ConnectToPersistentSubscription:
		sub := c.SubscribePersistent(asked.text("2"), asked.text("1"), esclient.PersistentOptions{ManualAck: true})
		e.checkPushes(ctx, t, sub.Subscription, wire.PersistentSubscriptionStreamEventAppeared)
	default:
		return false
	}
	return true
}
