package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/postgres"
	"github.com/photonpump/projector/checkpoint/postgres/pgtest"
	"github.com/photonpump/projector/checkpoint/sqlite"
	"github.com/photonpump/projector/projector/source"
)

// hostile are pieces of which names and values are made.
var hostile = []string{
	`"`, `'`, `;`, `--`, `/*`, `*/`, `\`, "`", `$1`, `?`, `%s`, `%`, `)`, `(`, `DROP TABLE canary`, "\n", "\t", ` `, `.`, `[`, `]`, `a`, `é`, `🐎`, `E'\'`, `::text`, `$$`,
}

// testInjection makes a table with hostile names, folds events with hostile values, and finds them as they were.
func testInjection(t *rapid.T, test *testing.T, store checkpoint.Store, n int) {
	text := rapid.Custom(func(t *rapid.T) string {
		s := ""
		for _, piece := range rapid.SliceOfN(rapid.SampledFrom(hostile), 1, 6).Draw(t, "pieces") {
			s += piece
		}
		return s
	})
	// Postgres cuts names of more than 63 bytes, so those are refused; and keys of YAML are trimmed by nobody.
	short := text.Filter(func(s string) bool { return len(s) < 40 })
	names := rapid.SliceOfNDistinct(short, 3, 3, rapid.ID[string]).Draw(t, "columns")
	table := fmt.Sprint("t", n, short.Draw(t, "table"))
	eventType := text.Filter(func(s string) bool { return s != "<<" }).Draw(t, "type")
	file, err := json.Marshal(map[string]any{"projections": map[string]any{"p": map[string]any{
		"source": map[string]any{"stream": "s"},
		"key":    "body.k",
		"table": map[string]any{
			"name": table, "columns": map[string]any{names[0]: "text", names[1]: "text", names[2]: "json"}, "primary_key": names[0],
			"indexes": []any{[]any{names[1]}},
		},
		"on": map[string]any{eventType: map[string]any{"set": map[string]any{names[1]: "body.v", names[2]: "body"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Parse("f.yml", file, environment)
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	key, value := text.Draw(t, "key"), text.Draw(t, "value")
	body, err := json.Marshal(map[string]string{"k": key, "v": value, value: key})
	if err != nil {
		t.Fatal(err)
	}
	p := cfg.Projections[0]
	if err := store.EnsureTables(test.Context(), p.Tables()...); err != nil {
		t.Fatal(err)
	}
	lease, err := store.Acquire(test.Context(), checkpoint.Claim{Name: table, Owner: value, TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	fold := p.model.NewFold("p", lease)
	if err := fold.Fold(test.Context(), []source.Event{{Type: eventType, Data: body}}); err != nil {
		t.Fatal(err)
	}
	if err := lease.Commit(test.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: fold.Writes()}); err != nil {
		t.Fatal(err)
	}
	var got [][]any
	err = store.Rows(test.Context(), p.Tables()[0], 0, func(row []any) bool {
		values := map[string]any{}
		for i, c := range p.Tables()[0].Columns {
			values[c.Name] = row[i]
		}
		got = append(got, []any{values[names[0]], values[names[1]]})
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{key, value}}, got); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	if err := lease.Release(test.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNothingInjectsSQL(t *testing.T) {
	t.Parallel()
	canary := &checkpoint.Table{Name: "canary", Columns: []checkpoint.Column{{Name: "k", Type: checkpoint.Type{Base: checkpoint.Text}}}, Key: []string{"k"}}
	for name, open := range map[string]func(t *testing.T) (checkpoint.Store, error){
		"sqlite": func(t *testing.T) (checkpoint.Store, error) {
			return sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
		},
		"postgres": func(t *testing.T) (checkpoint.Store, error) {
			return postgres.Open(t.Context(), pgtest.Database(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := store.EnsureTables(t.Context(), canary); err != nil {
				t.Fatal(err)
			}
			n := 0
			rapid.Check(t, func(rt *rapid.T) {
				n++
				testInjection(rt, t, store, n)
				if _, err := store.Count(t.Context(), canary); err != nil {
					rt.Fatal("the canary is gone: ", err)
				}
			})
		})
	}
}
