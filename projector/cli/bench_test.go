package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/esclient"
	"github.com/photonpump/projector/esclient/esnode"
)

// benchJSON runs bench and returns its lines by work and projection.
func (f *folder) benchJSON(args ...string) map[string]benchResult {
	f.t.Helper()
	var all []benchResult
	if err := json.Unmarshal([]byte(f.run(append([]string{"bench", "--json"}, args...)...)), &all); err != nil {
		f.t.Fatal(err)
	}
	byName := map[string]benchResult{}
	for _, r := range all {
		byName[strings.TrimSpace(r.Work+" "+r.Projection)] = r
		if r.Events <= 0 || r.Seconds <= 0 || r.PerSecond <= 0 || r.CPU < 0 || r.Memory == 0 {
			f.t.Errorf("%+v", r)
		}
	}
	return byName
}

// startStore runs an event store of the test's own, with the events of the folder.
func (f *folder) startStore() *esclient.Client {
	f.t.Helper()
	node, err := esnode.Start()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = node.Close() })
	f.run("import", filepath.Join(f.dir, "events.jsonl"), "--eventstore", node.URL())
	client, err := esclient.Dial(f.t.Context(), node.URL())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = client.Close() })
	f.eventStore = node.URL()
	return client
}

// everything returns the streams of all events of type projector.bench, and the number of all others.
func everything(t *testing.T, client *esclient.Client) (streams []string, others int) {
	t.Helper()
	for e, err := range client.AllEvents(t.Context(), esclient.Start(), esclient.ReadOptions{KeepLinks: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "projector.bench" {
			streams = append(streams, e.Stream)
		} else if !strings.HasPrefix(e.Stream, "$$") {
			others++
		}
	}
	return streams, others
}

func TestBench(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	client := f.startStore()
	f.run("run", "--once", "--eventstore", f.eventStore)
	rows, status := f.run("show", "jumps"), f.status("--eventstore", f.eventStore)[0]
	_, before := everything(t, client)

	got := f.benchJSON("--eventstore", f.eventStore)
	if len(got) != 2 || got["read jumps"].Events != 4 || got["catch-up jumps"].Events != 4 {
		t.Errorf("%+v", got)
	}
	if written, now := everything(t, client); len(written) != 0 || now != before {
		t.Errorf("%d events written, %d others, were %d", len(written), now, before)
	}

	text := f.run("bench", "--eventstore", f.eventStore, "--append", "300", "--live", "20")
	for _, want := range []string{"WORK ", "\nread jumps ", "\ncatch-up jumps ", "\nappend, 100 in flight     300 ", "\nlive, one at a time        20 "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	written, now := everything(t, client)
	if len(written) != 320 || now != before {
		t.Errorf("%d events written, %d others, were %d", len(written), now, before)
	}
	for _, stream := range slices.Compact(written) {
		if _, err := client.ReadStream(t.Context(), stream, 0, esclient.ReadOptions{}); !errors.Is(err, esclient.ErrStreamNotFound) {
			t.Errorf("stream %s: %v", stream, err)
		}
	}
	if after := f.status("--eventstore", f.eventStore)[0]; after.Position != status.Position || after.Handled != status.Handled || after.Epoch != status.Epoch {
		t.Errorf("status is %+v, was %+v", after, status)
	}
	if now := f.run("show", "jumps"); now != rows {
		t.Errorf("rows are\n%s, were\n%s", now, rows)
	}
	if left, err := filepath.Glob(filepath.Join(f.dir, ".projector-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestBenchSome bounds what is read, and counts events that cannot be handled.
func TestBenchSome(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.append("pony.jumped", `{"name":"Ivy","height_m":"high"}`)
	if got := f.benchJSON("--only", "jumps")["catch-up jumps"]; got.Events != 5 || got.Parked != 1 {
		t.Errorf("%+v", got)
	}
	if got := f.run("bench"); !strings.Contains(got, "catch-up jumps: 1 event failed, and would be parked\n") {
		t.Error(got)
	}
	f.write("more.jsonl", strings.Repeat(`{"stream":"pony_stream","type":"pony.jumped","data":{"name":"Rowan","height_m":1}}`+"\n", 20_000))
	f.run("import", filepath.Join(f.dir, "more.jsonl"), "--append")
	for name, r := range f.benchJSON("--events", "600") {
		if r.Events < 600 || r.Events > 15_000 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestBenchMistakes(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for want, args := range map[string][]string{
		`there is no projection "jump" in the file; there are jumps`: {"--only", "jump"},
		"must not be negative": {"--live", "-1"},
	} {
		if got := f.fail(ExitUsage, append([]string{"bench"}, args...)...); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestBenchPostgres(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	database := pgtest.Database(t)
	f.run("run", "--once", "--database", database)
	before, rows := catalog(t, database), f.run("show", "jumps", "--database", database)
	if got := f.benchJSON("--database", database); got["catch-up jumps"].Events != 4 {
		t.Errorf("%+v", got)
	}
	if now := catalog(t, database); !slices.Equal(now, before) {
		t.Errorf("the database has %v, had %v", now, before)
	}
	if now := f.run("show", "jumps", "--database", database); now != rows {
		t.Errorf("rows are\n%s, were\n%s", now, rows)
	}
}

// TestBenchWithoutRights measures with a user who may not make a schema.
func TestBenchWithoutRights(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	server, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // of a test
	role := "reader_" + strings.TrimPrefix(server.Path, "/test_")
	if _, err := conn.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropRole(t, pgtest.URL(t), role) })
	server.User = url.User(role)
	got := f.fail(ExitError, "bench", "--database", server.String())
	if !strings.Contains(got, "permission denied") || !strings.Contains(got, "grant its user CREATE on the database") {
		t.Error(got)
	}
}

func dropRole(t *testing.T, server, role string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), server)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background()) //nolint:errcheck // of a test
	if _, err := conn.Exec(context.Background(), "DROP ROLE "+role); err != nil {
		t.Error(err)
	}
}

// catalog lists the tables and indexes of all schemas.
func catalog(t *testing.T, database string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing was written
	rows, err := conn.Query(t.Context(), `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}
