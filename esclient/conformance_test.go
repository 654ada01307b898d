package esclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
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

// exchange is a recorded request with its answers.
type exchange struct {
	where   string
	request wire.Package
	asked   fieldsJSON
	answers []wire.Package
	told    []fieldsJSON
}

type fieldsJSON map[string]any

func (f fieldsJSON) int(num string) int64 {
	n, ok := f[num].(json.Number)
	if !ok {
		return 0
	}
	v, _ := strconv.ParseInt(n.String(), 10, 64)
	return v
}

func (f fieldsJSON) text(num string) string {
	s, _ := f[num].(string)
	return s
}

func (f fieldsJSON) message(num string) fieldsJSON {
	m, _ := f[num].(map[string]any)
	return m
}

func (f fieldsJSON) list(num string) (all []fieldsJSON) {
	items, _ := f[num].([]any)
	for _, it := range items {
		m, _ := it.(map[string]any)
		all = append(all, m)
	}
	return all
}

// exchanges finds the answers to each request: the packages with its correlation id on its connection.
func exchanges(t *testing.T, c *wiretest.Conversation) (all []*exchange) {
	open := map[string]*exchange{}
	for i := range c.Lines {
		l := &c.Lines[i]
		p, ok := l.Package(t)
		if !ok || p.Correlation == (wire.CorrelationID{}) {
			continue
		}
		key := fmt.Sprint(l.Conn, p.Correlation)
		if l.Dir == "c2s" {
			if l.Decoded == nil && len(p.Payload) > 0 || p.Command == wire.UnsubscribeFromStream {
				continue
			}
			e := &exchange{where: fmt.Sprintf("%s:%d %v", c.Name, l.Number, p.Command), request: p, asked: l.Decoded}
			open[key] = e
			all = append(all, e)
			continue
		}
		if e := open[key]; e != nil && l.Dir == "s2c" {
			e.answers = append(e.answers, p)
			e.told = append(e.told, l.Decoded)
		}
	}
	return slices.DeleteFunc(all, func(e *exchange) bool { return len(e.answers) == 0 })
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

var errAnything = errors.New("any error")

func oneOf(result int64, errs ...error) error { return errs[result] }

func operationError(result int64) error {
	return oneOf(result, nil, esclient.ErrTimeout, esclient.ErrTimeout, esclient.ErrTimeout, esclient.ErrWrongExpectedVersion,
		esclient.ErrStreamDeleted, esclient.ErrInvalidTransaction, esclient.ErrAccessDenied)
}

func readEventError(told fieldsJSON) error {
	if told.int("1") == 0 && len(told.message("2")) == 0 {
		return esclient.ErrEventNotFound
	}
	return oneOf(told.int("1"), nil, esclient.ErrEventNotFound, esclient.ErrStreamNotFound, esclient.ErrStreamDeleted,
		errAnything, esclient.ErrAccessDenied)
}

func readStreamError(result int64) error {
	return oneOf(result, nil, esclient.ErrStreamNotFound, esclient.ErrStreamDeleted, errAnything, errAnything, esclient.ErrAccessDenied)
}

func readAllError(result int64) error {
	return oneOf(result, nil, errAnything, errAnything, esclient.ErrAccessDenied)
}

// check compares the outcome with what the first answer says, want being what it means if it is the expected command.
func (e *exchange) check(t *testing.T, err error, cmd wire.Command, want error) {
	t.Helper()
	if errors.Is(err, esclient.ErrInvalidArgument) {
		return // such a request is not sent
	}
	switch e.answers[0].Command {
	case cmd:
	case wire.NotAuthenticated:
		want = esclient.ErrNotAuthenticated
	case wire.NotHandled:
		want = esclient.ErrNotHandled
		if e.told[0].int("1") == 2 {
			want = esclient.ErrNotConnected // on its way to the leader, and it may not be sent again here
		}
	default:
		want = errAnything
	}
	switch {
	case errors.Is(want, errAnything):
		var server *esclient.ServerError
		if !errors.As(err, &server) {
			t.Errorf("%s: got %v, want an error of the server", e.where, err)
		}
	case !errors.Is(err, want) || want == nil && err != nil:
		t.Errorf("%s: got %v, want %v", e.where, err, want)
	}
}

func (e *exchange) checkEvents(t *testing.T, got []esclient.Event, want []fieldsJSON) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d events, want %d", e.where, len(got), len(want))
		return
	}
	for i := range got {
		e.checkEvent(t, &got[i], want[i])
	}
}

func (e *exchange) checkEvent(t *testing.T, got *esclient.Event, want fieldsJSON) {
	t.Helper()
	event, link := want.message("1"), want.message("2")
	var bad []string
	differ := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			bad = append(bad, fmt.Sprintf("%s: got %v, want %v", what, got, want))
		}
	}
	differ("link", got.Link != nil, len(link) > 0)
	differ("position", got.Position, esclient.Position{Commit: want.int("3"), Prepare: want.int("4")})
	if got.Link != nil {
		differ("unresolved", got.Link.Unresolved, len(event) == 0)
		differ("link stream", got.Link.Stream, link.text("1"))
		differ("link number", got.Link.Number, link.int("2"))
		differ("link data", text(got.Link.Data), link.text("7"))
	}
	if len(event) > 0 {
		differ("stream", got.Stream, event.text("1"))
		differ("number", got.Number, event.int("2"))
		id := wire.IDBytes(got.ID)
		differ("id", "hex:"+fmt.Sprintf("%x", id[:]), event.text("3"))
		differ("type", got.Type, event.text("4"))
		differ("json", got.JSON, event.int("5") == 1)
		if data := event.text("7"); data != text(got.Data) && data != fmt.Sprintf("hex:%x", got.Data) {
			differ("data", text(got.Data), data)
		}
		differ("created", got.Created.UnixMilli(), event.int("10"))
	}
	for _, b := range bad {
		t.Errorf("%s: %s", e.where, b)
	}
}

func text(b []byte) string { return string(b) }

// checkPushes compares what a subscription delivers with the recorded pushes, and how it ends with the recorded end.
func (e *exchange) checkPushes(ctx context.Context, t *testing.T, sub *esclient.Subscription, push wire.Command) {
	t.Helper()
	defer sub.Stop()
	var want []fieldsJSON
	var end error
	for i, a := range e.answers {
		switch a.Command {
		case push:
			want = append(want, e.told[i].message("1"))
		case wire.SubscriptionDropped:
			end = oneOf(e.told[i].int("1"), io.EOF, esclient.ErrAccessDenied, esclient.ErrNotFound, esclient.ErrNotFound, esclient.ErrMaxConsumers)
		case wire.NotAuthenticated:
			end = esclient.ErrNotAuthenticated
		case wire.BadRequest:
			end = errAnything
		case wire.NotHandled:
			end = io.EOF
		}
		if end != nil {
			break
		}
	}
	if errors.Is(end, io.EOF) {
		end = nil // unsubscribed by the recorder, or not handled: the client tries again
	}
	got := 0
	for got < len(want) || end != nil {
		b, err := sub.Next(ctx)
		var gap *esclient.GapError
		switch {
		case errors.As(err, &gap):
			continue
		case err != nil && (end == nil || !errors.Is(end, errAnything) && !errors.Is(err, end)):
			t.Errorf("%s: got %v, want %v", e.where, err, end)
			return
		case err != nil:
			return
		}
		for i := range b.Events {
			if got < len(want) {
				e.checkEvent(t, &b.Events[i], want[got])
			}
			got++
		}
	}
}
