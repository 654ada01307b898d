package checkpointtest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/checkpoint"
)

// testViews holds for stores with SQL; others have no views.
func testViews(t *testing.T, db Database) {
	text, number := checkpoint.Type{Base: checkpoint.Text}, checkpoint.Type{Base: checkpoint.Int}
	table := &checkpoint.Table{
		Name: "fruit", Key: []string{"name"},
		Columns: []checkpoint.Column{{Name: "name", Type: text}, {Name: "n", Type: number}, {Name: "at", Type: checkpoint.Type{Base: checkpoint.Time}}},
	}
	s, ok := db.open(t, table).(checkpoint.ViewStore)
	if !ok {
		return
	}
	ctx := t.Context()
	lease, err := s.Acquire(ctx, checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl})
	check(t, err)
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	check(t, lease.Commit(ctx, checkpoint.Change{To: checkpoint.AtNumber(1), Writes: []checkpoint.TableWrite{{
		Table: table, Upserts: [][]any{{"apple", int64(1), at}, {"pear", int64(9007199254740993), nil}, {"plum", nil, nil}},
	}}}))

	most := checkpoint.View{Name: "most; \"fruit\"", Query: "SELECT name, n FROM fruit WHERE n IS NOT NULL ORDER BY n DESC"}
	first := checkpoint.View{Name: "first", Query: `SELECT name AS "it's" FROM "most; ""fruit""" LIMIT 1`}
	check(t, s.EnsureViews(ctx, most, first))
	check(t, s.EnsureViews(ctx, most, first))
	viewIs(t, s, most.Name, 0, []string{"name", "n"}, [][]any{{"pear", int64(9007199254740993)}, {"apple", int64(1)}})
	viewIs(t, s, most.Name, 1, []string{"name", "n"}, [][]any{{"pear", int64(9007199254740993)}})
	viewIs(t, s, first.Name, 0, []string{"it's"}, [][]any{{"pear"}})

	most.Query = "SELECT name FROM fruit WHERE n = 1"
	check(t, s.EnsureViews(ctx, most, first))
	viewIs(t, s, first.Name, 0, []string{"it's"}, [][]any{{"apple"}})

	broken := checkpoint.View{Name: "broken", Query: "SELECT nothing FROM fruit"}
	if err := s.EnsureViews(ctx, broken); err == nil {
		t.Error("a view of a column that does not exist is made")
	}
	if err := s.EnsureViews(ctx, checkpoint.View{Name: "fruit", Query: "SELECT 1"}); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("a view of a table's name: %v", err)
	}
	viewIs(t, s, first.Name, 0, []string{"it's"}, [][]any{{"apple"}})

	check(t, lease.Release(ctx))
	table.Columns[1].Type = text
	check(t, s.Reset(ctx, "p", table))
	check(t, s.EnsureTables(ctx, table))
	most.Query = "SELECT name FROM fruit WHERE n = 'x'"
	check(t, s.EnsureViews(ctx, most, first))
	viewIs(t, s, first.Name, 0, []string{"it's"}, nil)
	if err := s.ViewRows(ctx, "nothing", 0, func([]string, []any) bool { return true }); err == nil {
		t.Error("a view that does not exist has rows")
	}
}

func viewIs(t *testing.T, s checkpoint.ViewStore, name string, limit int, columns []string, want [][]any) {
	t.Helper()
	var got [][]any
	check(t, s.ViewRows(t.Context(), name, limit, func(c []string, row []any) bool {
		if !slices.Equal(c, columns) {
			t.Errorf("view %q has columns %v, want %v", name, c, columns)
		}
		got = append(got, slices.Clone(row))
		return true
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("view %q (-want +got):\n%s", name, diff)
	}
}
