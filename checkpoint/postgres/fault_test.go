package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
)

// proxy stands between store and server, and cuts a connection when a text goes through it.
type proxy struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	text  []byte // cut at this; nil = let everything pass
	after bool   // cut only the answer
	hold  *hold  // instead of cutting; nil = do not
}

// hold keeps something back on its way to the server.
type hold struct{ reached, goOn, done chan struct{} }

func newProxy(t *testing.T, server string) (p *proxy, through string) {
	t.Helper()
	u, err := url.Parse(server)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // the loopback address answers at once
	check(t, err)
	p = &proxy{listener: l, server: u.Host}
	p.wg.Go(p.accept)
	t.Cleanup(func() { check(t, l.Close()); p.wg.Wait() })
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) cutAt(text string, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.after = []byte(text), after
}

// holdAt keeps back what follows a text on its way, and the text, until goOn is closed. done is closed when the server has
// answered all.
func (p *proxy) holdAt(text string) *hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = []byte(text)
	p.hold = &hold{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	return p.hold
}

func (p *proxy) accept() { // ends when the listener is closed
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server) //nolint:noctx // the loopback address answers at once
		if err != nil {
			_ = client.Close()
			continue
		}
		p.wg.Go(func() { p.pump(client, server) })
	}
}

// pump copies until one side ends, or what goes to the server is the text.
func (p *proxy) pump(client, server net.Conn) {
	var mute atomic.Bool
	answered := make(chan struct{})
	p.wg.Go(func() { // ends with the server's side
		defer close(answered)
		_, _ = io.Copy(answers{client, &mute}, server)
		_ = client.Close()
	})
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		hit, after, held := p.hit(buf[:n])
		if held != nil {
			close(held.reached)
			<-held.goOn
			defer close(held.done)
		} else if hit && !after {
			break
		}
		mute.Store(hit)
		if _, err := server.Write(buf[:n]); err != nil || hit {
			break
		}
	}
	_ = server.(*net.TCPConn).CloseWrite() // the server ends when it has done what it was sent
	<-answered
	_ = client.Close()
	_ = server.Close()
}

// hit reports whether the connection is to be cut here.
func (p *proxy) hit(sent []byte) (hit, after bool, held *hold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hit = p.text != nil && bytes.Contains(sent, p.text); hit {
		p.text, held, p.hold = nil, p.hold, nil
	}
	return hit, p.after, held
}

// answers go to the client until they are muted.
type answers struct {
	client net.Conn
	mute   *atomic.Bool
}

func (a answers) Write(b []byte) (int, error) {
	if !a.mute.Load() {
		_, _ = a.client.Write(b) // the other direction sees that it is gone
	}
	return len(b), nil
}

func TestConnectionCutDuringCommit(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, inTx := range []bool{false, true} {
			table := ponies()
			direct, server, schema := ready(t, table)
			p, through := newProxy(t, server)
			s := open(t, through, postgres.WithSchema(schema))
			lease := acquire(t, s, forever)
			check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
			commit := lease.Commit
			if inTx {
				tx, err := lease.Begin(t.Context())
				check(t, err)
				commit = tx.Commit
			}
			p.cutAt("SET position", after)
			err := commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(table, []any{"a", int64(1)})})
			if err == nil || errors.Is(err, checkpoint.ErrFenced) || s.Classify(err) != checkpoint.ClassUnavailable || checkpoint.Classify(err) != checkpoint.ClassUnavailable {
				t.Fatalf("got error %v of class %v, want one that is unavailable", err, s.Classify(err))
			}
			check(t, lease.Release(t.Context())) // through a new connection
			want := int64(1)
			if after {
				want = 2
			}
			heir := acquire(t, s, forever)
			if heir.Position() != checkpoint.AtNumber(want) {
				t.Fatalf("cut after=%v: the position is %v", after, heir.Position())
			}
			n, err := direct.Count(t.Context(), table)
			check(t, err)
			if n != want-1 {
				t.Fatalf("cut after=%v: position %v with %d rows", after, heir.Position(), n)
			}
		}
	}
}

// TestRenewalComesLate: it was given up, and reaches the server after the lease was released.
func TestRenewalComesLate(t *testing.T) {
	t.Parallel()
	direct, server, schema := ready(t, ponies())
	p, through := newProxy(t, server)
	s := open(t, through, postgres.WithSchema(schema))
	lease := acquire(t, s, forever)
	late := p.holdAt("SET expires")
	ctx, cancel := context.WithCancel(t.Context())
	renewed := make(chan error, 1)
	go func() { renewed <- lease.Renew(ctx) }() // ends with ctx
	<-late.reached
	cancel()
	if err := <-renewed; !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	check(t, lease.Release(t.Context())) // through a new connection
	close(late.goOn)
	<-late.done
	list, err := direct.List(t.Context())
	check(t, err)
	if list[0].Held || !list[0].Expires.IsZero() {
		t.Fatalf("nobody owns it, but %+v", list[0])
	}
}

// TestServerRestart ends all sessions, as a restart does.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	table := ponies()
	server := pgtest.Database(t)
	s := open(t, server)
	check(t, s.Migrate(t.Context()))
	check(t, s.EnsureTables(t.Context(), table))
	lease := acquire(t, s, forever)
	for n := range int64(3) {
		admin, err := pgx.Connect(t.Context(), server)
		check(t, err)
		_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		check(t, err)
		check(t, admin.Close(t.Context()))
		change := checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Writes: put(table, []any{"a", n})}
		for attempt := 0; ; attempt++ {
			err := lease.Commit(t.Context(), change)
			if err == nil {
				break
			}
			if s.Classify(err) != checkpoint.ClassUnavailable || attempt > 8 {
				t.Fatalf("attempt %d: %v of class %v", attempt, err, s.Classify(err))
			}
		}
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	table := ponies()
	s, server, schema := ready(t, table)
	lease := acquire(t, s, forever)
	inTx := func(sql string) error {
		tx, err := lease.Begin(t.Context())
		check(t, err)
		defer func() { check(t, tx.Rollback(t.Context())) }()
		_, err = tx.Native().(pgx.Tx).Exec(t.Context(), sql)
		return err
	}
	elsewhere := func(change func(*url.URL)) error {
		u, err := url.Parse(server)
		check(t, err)
		change(u)
		_, err = postgres.Open(t.Context(), u.String())
		return err
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	name := pgx.Identifier{schema, "ponies"}.Sanitize()
	tests := map[string]struct {
		err  error
		want checkpoint.Class
	}{
		"no such table":     {inTx(`SELECT * FROM nowhere`), checkpoint.ClassConfiguration},
		"syntax":            {inTx(`SELEC`), checkpoint.ClassConfiguration},
		"out of range":      {inTx(`SELECT 1::int / 0`), checkpoint.ClassData},
		"null":              {inTx(`INSERT INTO ` + name + ` VALUES (NULL)`), checkpoint.ClassData},
		"raised":            {inTx(`DO $$ BEGIN RAISE EXCEPTION 'no'; END $$`), checkpoint.ClassData},
		"terminated":        {inTx(`SELECT pg_terminate_backend(pg_backend_pid())`), checkpoint.ClassUnavailable},
		"lock timeout":      {inTx(`DO $$ BEGIN RAISE lock_not_available; END $$`), checkpoint.ClassUnavailable},
		"nobody listens":    {elsewhere(func(u *url.URL) { u.Host = "127.0.0.1:1" }), checkpoint.ClassUnavailable},
		"no such host":      {elsewhere(func(u *url.URL) { u.Host = "nowhere.invalid" }), checkpoint.ClassUnavailable},
		"no such database":  {elsewhere(func(u *url.URL) { u.Path = "/nowhere" }), checkpoint.ClassConfiguration},
		"no such user":      {elsewhere(func(u *url.URL) { u.User = url.User("nobody-at-all") }), checkpoint.ClassConfiguration},
		"bad url":           {elsewhere(func(u *url.URL) { u.RawQuery = "sslmode=perhaps" }), checkpoint.ClassConfiguration},
		"bad schema":        {func() error { _, err := postgres.Open(t.Context(), server, postgres.WithSchema("")); return err }(), checkpoint.ClassConfiguration},
		"context cancelled": {lease.Commit(cancelled, checkpoint.Change{}), checkpoint.ClassUnknown},
	}
	for what, test := range tests {
		if got := s.Classify(test.err); test.err == nil || got != test.want {
			t.Errorf("%s: %v is %v, want %v", what, test.err, got, test.want)
		}
	}
}
