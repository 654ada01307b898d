package esclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/internal/wire"
)

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
