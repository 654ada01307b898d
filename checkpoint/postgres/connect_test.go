package postgres

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// A failure to connect is one line that says why, without the password.
func TestConnectErrors(t *testing.T) {
	t.Parallel()
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(pgtest.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		url   string
		want  string
		class checkpoint.Class
	}{
		"database": {with(func(u *url.URL) { u.Path = "/nowhere" }), `database "nowhere" does not exist (SQLSTATE 3D000)`, checkpoint.ClassConfiguration},
		"user": {
			with(func(u *url.URL) { u.User = url.UserPassword("nobody", "s3cret") }),
			`connect as user "nobody": FATAL: role "nobody" does not exist (SQLSTATE 28000)`, checkpoint.ClassConfiguration,
		},
		"address": {with(func(u *url.URL) { u.Host = closed }), "dial tcp " + closed + ": ", checkpoint.ClassUnavailable},
		"host":    {with(func(u *url.URL) { u.Host = "nowhere.invalid" }), "nowhere.invalid", checkpoint.ClassUnavailable},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := Open(ctx, test.url)
		cancel()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, test.want) || strings.Contains(text, "\n") || strings.Contains(text, "s3cret") || classify(err) != test.class {
			t.Errorf("%s: %v: %q, want %v and one line with %q", name, classify(err), text, test.class, test.want)
		}
	}
}
