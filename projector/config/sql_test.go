package config

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const mixedFile = `
projections:
  mixed:
    source: {stream: moves}
    park: projection
    retry: {attempts: 2, delay: 1ms}
    batch: {size: 7}
    tables:
      folded: {key: body.k, columns: {k: text, n: int}, primary_key: k, on: {moved: {increment: {n: body.n}}}}
      written:
        columns: {k: text, n: int}
        primary_key: k
        sql:
          moved:
            statement: INSERT INTO written (k, n) VALUES (:k, :n) ON CONFLICT (k) DO UPDATE SET n = written.n + :n
            params: {k: body.k, n: body.n}
          many.*: {statement: "UPDATE written SET n = n * :n", params: {n: body.n}}
`

func parse(t *testing.T, file string) *Config {
	t.Helper()
	cfg, err := Parse("f.yml", []byte(file), environment)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func runOnce(ctx context.Context, t *testing.T, store checkpoint.Store, cfg *Config, log *sourcetest.Log, stream string) error {
	t.Helper()
	runner, err := projector.NewRunner(store, []*projector.Projection{cfg.Projections[0].Build(log.Stream(stream))},
		projector.Once(), projector.WithLeaseTTL(time.Second), projector.WithShutdownBound(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return runner.Run(ctx)
}

// TestSQLCountsOnce stops the runner again and again at any moment: what SQL writes and what is folded stay together.
func TestSQLCountsOnce(t *testing.T) {
	t.Parallel()
	cfg := parse(t, mixedFile)
	onEachDatabase(t, func(t *testing.T, store checkpoint.Store) {
		log := sourcetest.New()
		want := map[string]map[string]any{}
		for i := range 300 {
			k, n := fmt.Sprint("k", i%11), float64(i)
			log.Append("moves", sourcetest.JSON("moved", fmt.Sprintf(`{"k": %q, "n": %d}`, k, i)))
			if want[k] == nil {
				want[k] = map[string]any{"n": 0.0}
			}
			want[k]["n"] = want[k]["n"].(float64) + n
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for stopped := 0; ; stopped++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(30*(1+stopped)))*time.Millisecond)
			err := runOnce(ctx, t, store, cfg, log, "moves")
			ended := ctx.Err() != nil
			cancel()
			if !ended {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		tables := cfg.Projections[0].Tables()
		if tables[0].Name != "folded" || tables[1].Name != "written" {
			t.Fatalf("tables are %v", tableNames(tables))
		}
		for _, table := range tables {
			if diff := cmp.Diff(want, rowsOfTable(t, store, table)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table.Name, diff)
			}
		}
	})
}

// TestSQLFailures: a value that the database refuses parks, what can never work stops, and nothing stays of either.
func TestSQLFailures(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, store checkpoint.Store) {
		log := sourcetest.New()
		log.Append("moves", sourcetest.JSON("moved", `{"k": "a", "n": 1}`), sourcetest.JSON("moved", `{"k": "b", "n": 9223372036854775807}`),
			sourcetest.JSON("many.times", `{"n": 4}`), sourcetest.JSON("moved", `{"k": "a", "n": 2}`))
		cfg := parse(t, strings.Replace(mixedFile, `UPDATE written SET n = n * :n`, `UPDATE written SET k = 'same', n = :n`, 1))
		err := runOnce(t.Context(), t, store, cfg, log, "moves")
		if err == nil {
			t.Fatal("a broken constraint is no error")
		}
		status, err := store.List(t.Context())
		if err != nil || status[0].Parked != 1 || status[0].Position != checkpoint.AtNumber(2) {
			t.Fatalf("got %+v, %v", status, err)
		}
		want := map[string]map[string]any{"a": {"n": 1.0}, "b": {"n": float64(1<<63 - 1)}}
		for _, table := range cfg.Projections[0].Tables() {
			if diff := cmp.Diff(want, rowsOfTable(t, store, table)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table.Name, diff)
			}
		}
	})
}

// TestSQLStops: mistakes that only the database sees stop the projection, whose other rows are as if the event had not come.
func TestSQLStops(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, store checkpoint.Store) {
		for name, test := range map[string]struct{ change, want string }{
			"no such column": {"UPDATE written SET colour = :n", "colour"},
			"no sense":       {"UPDATE written SET n == == :n", "=="},
			"no dialect":     {"", "there is no statement for"},
		} {
			file := strings.Replace(mixedFile, `statement: "UPDATE written SET n = n * :n"`, fmt.Sprintf("statement: %q", test.change), 1)
			if test.change == "" {
				other := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}[store.(checkpoint.ViewStore).Dialect()]
				file = strings.Replace(mixedFile, `statement: "UPDATE written SET n = n * :n"`, "statement: {"+other+`: "UPDATE written SET n = n * :n"}`, 1)
			}
			file = strings.ReplaceAll(file, "mixed:", name+":")
			for _, table := range []string{"folded", "written"} {
				file = strings.ReplaceAll(file, table, strings.ReplaceAll(table+" "+name, " ", "_"))
			}
			log := sourcetest.New()
			log.Append("moves", sourcetest.JSON("moved", `{"k": "a", "n": 1}`), sourcetest.JSON("many.times", `{"n": 4}`))
			err := runOnce(t.Context(), t, store, parse(t, file), log, "moves")
			var stopped *projector.StoppedError
			if !errors.As(err, &stopped) || stopped.Class != projector.ClassConfiguration || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got error %v", name, err)
			}
		}
	})
}

// TestSQLIsWatched: a trigger that writes a table which rules fold is found when it does.
func TestSQLIsWatched(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, store checkpoint.Store) {
		cfg := parse(t, mixedFile)
		if err := store.EnsureTables(t.Context(), cfg.Projections[0].Tables()...); err != nil {
			t.Fatal(err)
		}
		lease, err := store.Acquire(t.Context(), checkpoint.Claim{Name: "dba", Owner: "dba", TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		tx, err := lease.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		trigger := []string{"CREATE TRIGGER sneaks AFTER INSERT ON written BEGIN DELETE FROM folded; END"}
		if store.(checkpoint.ViewStore).Dialect() == "postgres" {
			trigger = []string{
				"CREATE FUNCTION sneak() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM folded; RETURN NEW; END$$",
				"CREATE TRIGGER sneaks AFTER INSERT ON written FOR EACH ROW EXECUTE FUNCTION sneak()",
			}
		}
		for _, sql := range trigger {
			if _, err := tx.(checkpoint.SQLTx).Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(t.Context(), checkpoint.Change{}); err != nil {
			t.Fatal(err)
		}
		log := sourcetest.New()
		log.Append("moves", sourcetest.JSON("moved", `{"k": "a", "n": 1}`))
		err = runOnce(t.Context(), t, store, cfg, log, "moves")
		if err == nil || !strings.Contains(err.Error(), `writes table "folded"`) {
			t.Fatalf("got error %v", err)
		}
		for _, table := range cfg.Projections[0].Tables() {
			if rows := rowsOfTable(t, store, table); len(rows) > 0 {
				t.Errorf("%s has rows %v", table.Name, rows)
			}
		}
	})
}

func TestSQLFingerprint(t *testing.T) {
	t.Parallel()
	was := fingerprintOf(t, mixedFile)
	for change, same := range map[[2]string]bool{
		{"INSERT INTO written", "INSERT  INTO\\twritten"}:                   true,
		{"n + :n", "n + /* more */ :n"}:                                     true,
		{"n + :n", "n - :n"}:                                                false,
		{"n: body.n}", "n: body.n + 1}"}:                                    false,
		{"{k: text, n: int}\n", "{k: text, n: decimal}\n"}:                  false,
		{"many.*", "more.*"}:                                                false,
		{"primary_key: k\n        sql", "primary_key: [k, n]\n        sql"}: false,
	} {
		text := strings.Replace(mixedFile, change[0], strings.ReplaceAll(change[1], `\t`, " "), 1)
		if got := fingerprintOf(t, text); (got == was) != same || text == mixedFile {
			t.Errorf("%q for %q: same is %t", change[1], change[0], got == was)
		}
	}
}
