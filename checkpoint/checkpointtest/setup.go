package checkpointtest

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// Who only looks learns that there is nothing, and makes nothing.
func testCheck(t *testing.T, db Database) {
	s := db.Open(t)
	for range 2 {
		err := s.Check(t.Context())
		wantError(t, err, checkpoint.ErrNotMigrated)
		wantClass(t, s, err, checkpoint.ClassConfiguration)
	}
	check(t, s.Migrate(t.Context()))
	check(t, s.Check(t.Context()))
}

func testReset(t *testing.T, db Database) {
	table, other := ponies(), ponies()
	other.Name = "other"
	s := db.open(t, table, other)
	keep := acquire(t, s, "keep", ttl)
	check(t, keep.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(other, []any{"o", int64(1), nil})}))
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl, Fingerprint: "one"})
	check(t, err)
	check(t, lease.Report(t.Context(), "live", "why"))
	check(t, lease.Commit(t.Context(), checkpoint.Change{
		To: checkpoint.AtNumber(3), Last: ref(3), Handled: 3, Ignored: 1, Writes: put(table, []any{"a", int64(1), nil}),
	}))
	wantError(t, s.Reset(t.Context(), "p", table), checkpoint.ErrHeld)
	equal(t, len(rows(t, s, table)), 1)
	check(t, lease.Release(t.Context()))

	check(t, s.Reset(t.Context(), "p", table))
	equal(t, len(rows(t, s, table)), 0)
	equal(t, len(rows(t, s, other)), 1)
	got := status(t, s, "p")
	if got.Epoch <= lease.Epoch() {
		t.Fatalf("epoch is %d after a reset, was %d: an owner that does not know of it could commit", got.Epoch, lease.Epoch())
	}
	got.Epoch, got.Updated = 0, time.Time{}
	equal(t, got, checkpoint.Status{Name: "p"})
	equal(t, status(t, s, "keep").Position, checkpoint.AtNumber(1))
	check(t, s.Reset(t.Context(), "p", table))

	old := acquire(t, s, "p", short)
	for { // a lease that has expired does not hinder a reset, and is fenced by it
		err := s.Reset(t.Context(), "p", table)
		if err == nil {
			break
		}
		wantError(t, err, checkpoint.ErrHeld)
	}
	wantError(t, old.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(4), Writes: put(table, []any{"a", int64(1), nil})}), checkpoint.ErrFenced)
	equal(t, len(rows(t, s, table)), 0)
}

func testResetChanged(t *testing.T, db Database) {
	was := ponies()
	s := db.open(t, was)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(was, []any{"a", int64(1), nil})}))
	check(t, lease.Release(t.Context()))

	wants := ponies()
	wants.Columns[1].Type.Base = checkpoint.Text
	wants.Columns = append(wants.Columns, column("more;", checkpoint.Int))
	wants.Indexes = []checkpoint.Index{{Columns: []string{"more;"}}, {Columns: []string{"jumps"}, Unique: true}}
	wantError(t, s.EnsureTables(t.Context(), wants), checkpoint.ErrDrift)
	check(t, s.Reset(t.Context(), "p", wants))
	check(t, s.EnsureTables(t.Context(), wants))
	equal(t, len(rows(t, s, wants)), 0)
	lease = acquire(t, s, "p", ttl)
	row := []any{"a", "many", nil, int64(7)}
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(wants, row)}))
	equal(t, rows(t, s, wants), [][]any{row})
}

func testResetUnknown(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(3), Writes: put(table, []any{"a", int64(1), nil})}))
	wantError(t, s.Reset(t.Context(), "q", table), checkpoint.ErrUnknownProjection)
	equal(t, len(rows(t, s, table)), 1)
	check(t, lease.Release(t.Context()))
	missing := ponies()
	missing.Name = "missing"
	wantError(t, s.Reset(t.Context(), "p", table, missing), checkpoint.ErrNoTable)
	equal(t, len(rows(t, s, table)), 1)
	equal(t, status(t, s, "p").Position, checkpoint.AtNumber(3))
}

func testConcurrentSetup(t *testing.T, db Database) {
	stores := []checkpoint.Store{db.Open(t), db.Open(t), db.Open(t)}
	table := ponies()
	table.Indexes = []checkpoint.Index{{Columns: []string{"jumps", "note"}}, {Columns: []string{"note"}, Unique: true}}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			s := stores[i%len(stores)]
			if err := s.Migrate(t.Context()); err != nil {
				t.Errorf("migrate: %v", err)
				return
			}
			if err := s.EnsureTables(t.Context(), table); err != nil {
				t.Errorf("ensure tables: %v", err)
			}
		})
	}
	wg.Wait()
	lease := acquire(t, stores[0], "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, []any{"a", int64(1), nil})}))
	check(t, stores[1].Migrate(t.Context()))
	check(t, stores[1].EnsureTables(t.Context(), table))
	equal(t, len(rows(t, stores[2], table)), 1)
}

func testDrift(t *testing.T, db Database) {
	live := ponies()
	live.Indexes = []checkpoint.Index{{Columns: []string{"note"}}}
	s := db.open(t, live)
	reordered := ponies()
	reordered.Columns[1], reordered.Columns[2] = reordered.Columns[2], reordered.Columns[1]
	check(t, s.EnsureTables(t.Context(), reordered))
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(reordered, []any{"a", "note", int64(1)})}))
	equal(t, rows(t, s, live), [][]any{{"a", int64(1), "note"}})
	equal(t, rows(t, s, reordered), [][]any{{"a", "note", int64(1)}})

	tests := []struct {
		name   string
		change func(*checkpoint.Table)
		want   string
	}{
		{"type", func(t *checkpoint.Table) { t.Columns[1].Type.Base = checkpoint.Float }, `column "jumps"`},
		{"list", func(t *checkpoint.Table) { t.Columns[2].Type.List = true }, `column "note"`},
		{"null", func(t *checkpoint.Table) { t.Columns[1].NotNull = false }, `column "jumps"`},
		{"missing", func(t *checkpoint.Table) {
			t.Columns = append(t.Columns, checkpoint.Column{Name: "more", Type: checkpoint.Type{Base: checkpoint.Int}, NotNull: true})
		}, `column "more": is missing`},
		{"missing key", func(t *checkpoint.Table) {
			t.Columns = append(t.Columns, column("more", checkpoint.Int))
			t.Key = append(t.Key, "more")
		}, `column "more": is missing`},
		{"unwanted", func(t *checkpoint.Table) { t.Columns = t.Columns[:2]; t.Indexes = nil }, `column "note"`},
		{"key", func(t *checkpoint.Table) { t.Key = []string{"name", "jumps"} }, "primary key: is (name), wants (name, jumps)"},
	}
	for _, test := range tests {
		wants, fresh := ponies(), ponies()
		test.change(wants)
		fresh.Name = "fresh"
		err := s.EnsureTables(t.Context(), fresh, wants)
		var drift *checkpoint.DriftError
		if !errors.As(err, &drift) || !errors.Is(err, checkpoint.ErrDrift) || drift.Table != "ponies" ||
			!strings.Contains(strings.Join(drift.Differences, "\n"), test.want) {
			t.Fatalf("%s: got error %v, want a DriftError with %s", test.name, err, test.want)
		}
		wantClass(t, s, err, checkpoint.ClassConfiguration)
		diffs, err := s.Diff(t.Context(), fresh, wants)
		check(t, err)
		if len(diffs) != 2 || !diffs[0].Missing || !reflect.DeepEqual(diffs[1].Err(), drift) {
			t.Fatalf("%s: got differences %+v, want those of %v", test.name, diffs, drift)
		}
		_, err = s.Count(t.Context(), fresh) // nothing was made
		wantError(t, err, checkpoint.ErrNoTable)
	}
	check(t, s.EnsureTables(t.Context(), live))
}

func testInvalidTables(t *testing.T, db Database) {
	s := db.open(t)
	for _, table := range []*checkpoint.Table{
		{},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.Int)}},
		{Name: "t", Columns: []checkpoint.Column{column("a", 0)}, Key: []string{"a"}},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.Int), column("a", checkpoint.Int)}, Key: []string{"a"}},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.JSON)}, Key: []string{"a"}},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.Decimal)}, Key: []string{"a"}},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.Int)}, Key: []string{"a"}, Indexes: []checkpoint.Index{{Columns: []string{"b"}}}},
		{Name: "t", Columns: []checkpoint.Column{column("a", checkpoint.Int)}, Key: []string{"a"}, Indexes: []checkpoint.Index{{}}},
	} {
		err := s.EnsureTables(t.Context(), table)
		wantError(t, err, checkpoint.ErrInvalid)
		wantClass(t, s, err, checkpoint.ClassConfiguration)
	}
}

func testStrangeNames(t *testing.T, db Database) {
	table := &checkpoint.Table{
		Name: `Select "x"; drop 'table' $1 ? ä`,
		Columns: []checkpoint.Column{
			column(`from "where"`, checkpoint.Text), column("order", checkpoint.Int), column("n", checkpoint.Int), column("u.k1", checkpoint.Text),
		},
		Key:     []string{"order", `from "where"`},
		Indexes: []checkpoint.Index{{Columns: []string{"u.k1", "n"}}, {Name: `odd "index" name`, Columns: []string{"n"}}},
	}
	s := db.open(t, table)
	check(t, s.EnsureTables(t.Context(), table))
	lease := acquire(t, s, `p 'q' \ "r"`, ttl)
	row := []any{"x", int64(1), int64(2), "y"}
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, row)}))
	tx, err := lease.Begin(t.Context())
	check(t, err)
	check(t, tx.Commit(t.Context(), checkpoint.Change{Writes: put(table, row, []any{"z", int64(0), nil, nil})}))
	loaded, err := lease.Load(t.Context(), table, [][]any{{int64(1), "x"}, {int64(2), "x"}})
	check(t, err)
	equal(t, loaded, [][]any{row, nil})
	equal(t, rows(t, s, table), [][]any{{"z", int64(0), nil, nil}, row})
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: []checkpoint.TableWrite{{Table: table, Deletes: [][]any{{int64(1), "x"}}}}}))
	n, err := s.Count(t.Context(), table)
	check(t, err)
	equal(t, n, int64(1))
}

func testMissingTable(t *testing.T, db Database) {
	s := db.open(t)
	table := ponies()
	lease := acquire(t, s, "p", ttl)
	err := lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"a", int64(1), nil})})
	wantError(t, err, checkpoint.ErrNoTable)
	wantClass(t, s, err, checkpoint.ClassConfiguration)
	_, err = lease.Load(t.Context(), table, [][]any{{"a"}})
	wantError(t, err, checkpoint.ErrNoTable)
	wantError(t, s.Rows(t.Context(), table, 0, func([]any) bool { return true }), checkpoint.ErrNoTable)
	_, err = s.Count(t.Context(), table)
	wantError(t, err, checkpoint.ErrNoTable)
	equal(t, status(t, s, "p").Position, checkpoint.Position{})
}
