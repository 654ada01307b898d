package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/projector"
)

// TestSoakRestart shuts PostgreSQL down in mid-batch, in order and like a crash, and starts it again.
func TestSoakRestart(t *testing.T) {
	t.Parallel()
	restarts := size(t, 2, 40)
	for name, commits := range map[string]string{"commits are durable": "on", "a crash loses the last commits": "off"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startServer(t)
			d := newPostgres(t, server.URL)
			d.URL = with(t, server.URL, "synchronous_commit", "on")
			store := d.store(t)
			if err := errors.Join(store.Migrate(t.Context()), store.EnsureTables(t.Context(), table().Tables()...)); err != nil {
				t.Fatal(err)
			}
			d.URL = with(t, server.URL, "synchronous_commit", commits)
			w := work{database: d, events: 1500 * restarts, pause: 20 * time.Millisecond, least: restarts, forgets: commits == "off"}
			done := 0
			w.run(t, "restarts of PostgreSQL, "+name, func(ctx context.Context) error {
				if err := wait(ctx, time.Duration(50+rand.IntN(300))*time.Millisecond); err != nil {
					return err
				}
				done++
				return server.Restart(context.WithoutCancel(ctx), []pgtest.Shutdown{pgtest.Fast, pgtest.Immediate}[done%2])
			})
		})
	}
}

func isState(err error, state string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == state
}

// startServer starts a server for one test.
func startServer(t *testing.T) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// TestSoakSerialization has all transactions be serializable, and another one change the row of the total between the
// moment when a handler sees it and the moment when it changes it.
func TestSoakSerialization(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, kindPostgres)
	direct := d.URL
	d.URL = with(t, d.URL, "default_transaction_isolation", "serializable")
	w := work{database: d, events: size(t, 2_000, 50_000)}
	const every = 100
	w.least, w.ttl = w.events/every/2, time.Minute // a renewal in the middle of a transaction is a conflict too
	var failures atomic.Int64
	meddled := -1
	contended := d.name("contended")
	w.before = func(ctx context.Context, tx tx, e projector.Event[jumped]) error {
		i := int(e.Created.Unix())
		if i%every != 0 || i == meddled {
			return nil
		}
		meddled = i
		var n int64
		if err := tx.native.QueryRow(ctx, "SELECT n FROM "+contended).Scan(&n); err != nil {
			return err
		}
		conn, err := connect(ctx, direct)
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // the statement was answered
		if _, err := conn.Exec(ctx, "UPDATE "+contended+" SET n = n + 1"); err != nil {
			return err
		}
		err = tx.exec(ctx, "UPDATE "+contended+" SET n = 0")
		if isState(err, "40001") {
			failures.Add(1)
		}
		return err
	}
	d.exec(t, "CREATE TABLE "+contended+" (n bigint)", "INSERT INTO "+contended+" VALUES (0)")
	w.injected = func() int { return int(failures.Load()) }
	w.run(t, "transactions that could not be serialized", nil)
}

// TestSoakServerErrors has a trigger raise what a server in trouble raises, for one statement in a few dozens.
func TestSoakServerErrors(t *testing.T) {
	t.Parallel()
	const every = 37
	for state, what := range map[string]string{
		"53100": "disk full", "53200": "out of memory", "40P01": "deadlock detected", "55P03": "lock not available", "58030": "I/O error",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, kindPostgres)
			d.exec(t, "CREATE SEQUENCE "+d.name("attempts"), // which a rollback does not set back
				fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF nextval('%s') %% %d = 0 THEN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'trouble'; END IF;
					RETURN NEW; END $$`, d.name("trouble"), d.name("attempts"), every, state),
				fmt.Sprintf(`CREATE TRIGGER trouble BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION %s()`, d.name("audit"), d.name("trouble")))
			w := work{database: d, events: size(t, 500, 20_000), batch: 20, least: 10}
			w.injected = func() (n int) {
				d.row(t, "SELECT last_value FROM "+d.name("attempts"), &n)
				return n / every
			}
			w.run(t, what+" ("+state+")", nil)
		})
	}
}
