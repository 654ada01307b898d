package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/photonpump/projector/projector"
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
	pause    time.Duration // before each page, so that every fault hits work
	least    int           // so many faults at least
	settings []projector.Setting
	parts    []projector.Part // beside the table and the audit
}

var errNothing = fmt.Errorf("nothing was hit")

// run works until all is done, and has fault called again and again meanwhile.
func (w *work) run(t *testing.T, faults string, fault func(context.Context) error) {
	t.Helper()
	store, err := w.database.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log := newLog(w.events)
	log.Intercept(func(sourcetest.Op) error { time.Sleep(w.pause); return nil })
	src := log.All(nil)
	src.PageSize = 100
	parts := append([]projector.Part{table(), w.database.audit(nil)}, w.parts...)
	p := projector.New("ponies", src, parts...).With(append(w.settings, byStream())...)
	r, err := projector.NewRunner(store, []*projector.Projection{p}, projector.Once(), projector.WithLeaseTTL(300*time.Millisecond),
		projector.WithBatchSize(100), projector.WithRetryDelays(10*time.Millisecond, 100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	var injected atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		for ctx.Err() == nil {
			switch err := fault(ctx); {
			case err == nil:
				injected.Add(1)
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
	n := injected.Load()
	w.database.check(t, truth{events: w.events, faults: fmt.Sprintf("%d %s", n, faults)})
	if here := r.Status()[0].Handled; here != int64(w.events) {
		t.Errorf("%d handled by the count of the process", here)
	}
	if n < int64(w.least) {
		t.Errorf("only %d %s, want %d", n, faults, w.least)
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
