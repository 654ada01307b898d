package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source/sourcetest"
)

const migrateFile = `
projections:
  ponies:
    source: {stream: ponies}
    key: body.name
    table:
      columns: {name: text, jumps: int}
      primary_key: name
    on:
      jumped: {increment: {jumps: 1}}
`

// TestMigration runs one release of a file after the other on the same tables.
func TestMigration(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, store checkpoint.Store) {
		log := sourcetest.New()
		jump := func(names ...string) {
			for _, name := range names {
				log.Append("ponies", sourcetest.JSON("jumped", fmt.Sprintf(`{"name": %q}`, name)))
			}
		}
		run := func(file string) error {
			cfg, err := Parse("f.yml", []byte(file), environment)
			if err != nil {
				t.Fatal(err)
			}
			runner, err := projector.NewRunner(store, []*projector.Projection{cfg.Projections[0].Build(log.Stream("ponies"))},
				projector.Once(), projector.WithLeaseTTL(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return runner.Run(t.Context())
		}
		rowsAre := func(file string, want map[string]map[string]any) {
			t.Helper()
			cfg, err := Parse("f.yml", []byte(file), environment)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, rowsOf(t, store, cfg.Projections[0])); diff != "" {
				t.Fatalf("rows (-want +got):\n%s", diff)
			}
		}
		columns := func(file, add string) string { return strings.Replace(file, "jumps: int", "jumps: int, "+add, 1) }

		first := migrateFile
		if err := run(first); err != nil {
			t.Fatal(err)
		}
		// Nothing was handled yet, so anything may change that leaves the table what it is.
		second := strings.Replace(columns(first, "seen: int"), "{jumps: 1}", "{jumps: 2}, max: {seen: event.number}", 1)
		if err := run(second); err != nil {
			t.Fatal(err)
		}
		jump("Rarity", "Rarity", "Applejack")
		if err := run(second); err != nil {
			t.Fatal(err)
		}
		rowsAre(second, map[string]map[string]any{"Rarity": {"jumps": 4.0, "seen": 1.0}, "Applejack": {"jumps": 2.0, "seen": 2.0}})

		// Columns that no rule changes, and indexes.
		third := columns(second, `farm: {type: text, default: "it's"}, note: text`)
		third = strings.Replace(third, "primary_key: name", "primary_key: name\n      indexes: [jumps, [farm, note]]", 1)
		jump("Rarity", "Rainbow")
		if err := run(third); err != nil {
			t.Fatal(err)
		}
		rowsAre(third, map[string]map[string]any{
			"Rarity":    {"jumps": 6.0, "seen": 3.0, "farm": "it's", "note": nil},
			"Applejack": {"jumps": 2.0, "seen": 2.0, "farm": "it's", "note": nil},
			"Rainbow":   {"jumps": 2.0, "seen": 4.0, "farm": "it's", "note": nil},
		})

		// A column that events before would have changed: refused, and the table is left as it is.
		fourth := strings.Replace(columns(third, "first: int"), "max:", "set_once: {first: event.number}, max:", 1)
		err := run(fourth)
		if !errors.Is(err, checkpoint.ErrDefinitionChanged) || !strings.Contains(err.Error(), "projector reset ponies") {
			t.Fatalf("got error %v, want one that names reset", err)
		}
		if err := run(third); err != nil {
			t.Fatal(err)
		}

		// What cannot be mended shows both.
		err = run(strings.Replace(third, "note: text", "note: int", 1))
		if !errors.Is(err, checkpoint.ErrDrift) || !strings.Contains(err.Error(), `column "note": is `) ||
			!strings.Contains(err.Error(), "projector reset ponies") {
			t.Fatalf("got error %v, want one that shows both and names reset", err)
		}

		// After a reset, all of it.
		cfg, err := Parse("f.yml", []byte(fourth), environment)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Reset(t.Context(), "ponies", cfg.Projections[0].Tables()...); err != nil {
			t.Fatal(err)
		}
		if err := run(fourth); err != nil {
			t.Fatal(err)
		}
		rowsAre(fourth, map[string]map[string]any{
			"Rarity":    {"jumps": 6.0, "seen": 3.0, "farm": "it's", "note": nil, "first": 0.0},
			"Applejack": {"jumps": 2.0, "seen": 2.0, "farm": "it's", "note": nil, "first": 2.0},
			"Rainbow":   {"jumps": 2.0, "seen": 4.0, "farm": "it's", "note": nil, "first": 4.0},
		})
	})
}
