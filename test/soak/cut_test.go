package soak

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

// TestSoakCut has Postgres terminate all connections of a runner at random moments.
func TestSoakCut(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, kindPostgres)
	w := work{database: d, events: size(t, 3_000, 300_000), pause: 10 * time.Millisecond, least: size(t, 5, 200)}
	w.database.URL = named(t, d.URL, d.Schema)
	w.run(t, "connections cut", func(ctx context.Context) error {
		if err := wait(ctx, time.Duration(20+rand.IntN(120))*time.Millisecond); err != nil {
			return err
		}
		conn, err := connect(ctx, d.URL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
		var n int64
		err = conn.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1", d.Schema).Scan(&n)
		if err == nil && n == 0 {
			return errNothing
		}
		return err
	})
}

// named gives the connections of a URL a name.
func named(t *testing.T, server, name string) string {
	t.Helper()
	return with(t, server, "application_name", name)
}

// with adds a setting to a URL.
func with(t *testing.T, server, setting, value string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(setting, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// work is a runner in this process, whose database has faults.
type work struct {
	database database
	events   int
	source   source.Source // nil = our log in memory
	pause    time.Duration // before each page of that, so that every fault hits work
	least    int           // so many faults at least
	ttl      time.Duration // of the lease; 0 = 300ms
	batch    int           // size; 0 = 100
	before   hook          // in the transaction of an event; may be nil
	injected func() int    // counts the faults; nil = they are those of run
	forgets  bool          // the database forgets commits, so that the process counts more
}

var errNothing = errors.New("nothing was hit")

// run works until all is done, and has fault, if it is not nil, called again and again meanwhile.
func (w *work) run(t *testing.T, faults string, fault func(context.Context) error) {
	t.Helper()
	store, err := w.database.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w.source == nil {
		log := newLog(w.events)
		log.Intercept(func(sourcetest.Op) error { time.Sleep(w.pause); return nil })
		all := log.All(nil)
		all.PageSize = 100
		w.source = all
	}
	p := projector.New("ponies", w.source, table(), w.database.audit(w.before, nil)).With(byStream())
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLeaseTTL(cmp.Or(w.ttl, 300*time.Millisecond)),
		projector.WithBatchSize(cmp.Or(w.batch, 100)), projector.WithRetryDelays(10*time.Millisecond, 100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	injected := 0
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		for fault != nil && ctx.Err() == nil {
			switch err := fault(ctx); {
			case err == nil:
				injected++
			case err != errNothing && ctx.Err() == nil: //nolint:errorlint // it is never wrapped
				t.Error(err)
				return
			}
		}
	}()
	err = r.Run(t.Context())
	stop()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if w.injected != nil {
		injected = w.injected()
	}
	w.database.check(t, truth{events: w.events, faults: fmt.Sprintf("%s: %d %s", w.database.kind(), injected, faults)})
	if here := r.Status()[0].Handled; here != int64(w.events) && !w.forgets {
		t.Errorf("%d handled by the count of the process", here)
	}
	if injected < w.least {
		t.Errorf("only %d %s, want %d", injected, faults, w.least)
	}
}

// wait waits, and returns the error of ctx if that ends meanwhile.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
