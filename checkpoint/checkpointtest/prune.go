package checkpointtest

import (
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

func testPrune(t *testing.T, db Database) {
	table := &checkpoint.Table{
		Name: "odd \"name\"", Key: []string{"a", "b"}, Indexes: []checkpoint.Index{{Columns: []string{"at;"}}},
		Columns: []checkpoint.Column{column("a", checkpoint.Int), column("at;", checkpoint.Time), column("b", checkpoint.Text)},
		Prune:   &checkpoint.Prune{Column: "at;", OlderThan: 24 * time.Hour},
	}
	kept := ponies()
	s := db.open(t, table, kept)
	lease := acquire(t, s, "p", ttl)
	now := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	put := func(now time.Time) {
		var upserts [][]any
		for i := range int64(10) {
			upserts = append(upserts, []any{i, now.Add(time.Duration(-i*6) * time.Hour), "x"})
		}
		upserts = append(upserts, []any{int64(10), nil, "x"}, []any{int64(11), now.Add(-24*time.Hour - time.Microsecond), "y"})
		check(t, lease.Commit(t.Context(), checkpoint.Change{
			From: lease.Position(), To: lease.Position(), Writes: []checkpoint.TableWrite{{Table: table, Upserts: upserts}},
		}))
	}
	left := func() (ids []int64) {
		for _, row := range rows(t, s, table) {
			ids = append(ids, row[0].(int64))
		}
		return ids
	}
	put(now)
	before := status(t, s, "p").Expires
	for _, want := range []int64{3, 3, 0} { // the oldest first
		n, err := lease.Prune(t.Context(), table, now, 3)
		check(t, err)
		equal(t, n, want)
		if n == 3 && len(left()) == 9 {
			equal(t, left(), []int64{0, 1, 2, 3, 4, 5, 6, 10, 11})
		}
	}
	equal(t, left(), []int64{0, 1, 2, 3, 4, 10})
	if after := status(t, s, "p").Expires; after.Before(before) {
		t.Errorf("the lease ends at %v, before %v", after, before)
	}
	n, err := lease.Prune(t.Context(), kept, now, 3)
	check(t, err)
	equal(t, n, int64(0))

	put(time.Now().Add(-24 * time.Hour)) // by the clock of the database: all but the youngest, which the margin keeps
	n, err = lease.Prune(t.Context(), table, time.Time{}, 100)
	check(t, err)
	equal(t, n, int64(10))
	equal(t, left(), []int64{0, 10})

	old := acquire(t, s, "q", short)
	takeOver(t, s, "q")
	_, err = old.Prune(t.Context(), table, now.AddDate(100, 0, 0), 100)
	wantError(t, err, checkpoint.ErrFenced)
	equal(t, left(), []int64{0, 10})
	for _, bad := range []checkpoint.Prune{{Column: "none", OlderThan: 1}, {Column: "b", OlderThan: 1}, {Column: "at;"}} {
		wrong := *table
		wrong.Prune = &bad
		wantError(t, s.EnsureTables(t.Context(), &wrong), checkpoint.ErrInvalid)
	}
}
