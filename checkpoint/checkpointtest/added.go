package checkpointtest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/photonpump/projector/checkpoint"
)

// testAddedColumns gives a table that has rows columns of every type, with each value that stores have trouble with as
// their default. An owner that does not know of them goes on.
func testAddedColumns(t *testing.T, db Database) {
	was := ponies()
	s := db.open(t, was)
	old := acquire(t, s, "p", ttl)
	check(t, old.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(was, []any{"a", int64(1), "note"})}))

	wants := ponies()
	row := []any{"a", int64(1), "note"}
	add := func(name string, typ checkpoint.Type, notNull bool, value any) {
		wants.Columns = append(wants.Columns, checkpoint.Column{Name: name, Type: typ, NotNull: notNull, Default: value})
		row = append(row, value)
	}
	for base, values := range samples() {
		add("no "+base.String(), checkpoint.Type{Base: base}, false, nil)
		add("no list of "+base.String(), checkpoint.Type{Base: base, List: true}, false, nil)
		add(base.String()+`" int); --`, checkpoint.Type{Base: base, List: true}, true, []any{})
		for i, v := range values {
			name := base.String() + strings.Repeat("'", i)
			add(name, checkpoint.Type{Base: base}, i%2 == 0, v)
			add("list of "+name, checkpoint.Type{Base: base, List: true}, i%2 == 0, []any{v, v})
		}
	}
	diffs, err := s.Diff(t.Context(), wants)
	check(t, err)
	if len(diffs) != 1 || diffs[0].Table != wants || len(diffs[0].Columns) != len(wants.Columns)-3 || diffs[0].Err() != nil {
		t.Fatalf("got differences %+v", diffs)
	}
	check(t, s.EnsureTables(t.Context(), wants))
	check(t, s.EnsureTables(t.Context(), wants))
	diffs, err = s.Diff(t.Context(), wants)
	check(t, err)
	if !diffs[0].Empty() {
		t.Fatalf("got differences %+v, want none", diffs)
	}
	want := canonical(t, wants, row)
	sameRows(t, "rows", rows(t, s, wants), [][]any{want})
	loaded, err := old.Load(t.Context(), wants, [][]any{{"a"}})
	check(t, err)
	sameRows(t, "loaded", loaded, [][]any{want})

	// Whoever knows only the first columns writes defaults into the others, and does not touch them.
	check(t, old.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(was, []any{"a", int64(2), nil}, []any{"b", int64(3), nil}),
	}))
	want[1], want[2] = int64(2), nil
	b := slices.Clone(want)
	b[0], b[1] = "b", int64(3)
	sameRows(t, "rows", rows(t, s, wants), [][]any{want, b})
	wantError(t, s.EnsureTables(t.Context(), was), checkpoint.ErrDrift) // a column is never removed
}

func testAddedIndexes(t *testing.T, db Database) {
	was := ponies()
	s := db.open(t, was)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(was,
		[]any{"a", int64(1), "x"}, []any{"b", int64(2), "x"})}))

	wants := ponies()
	wants.Columns = append(wants.Columns, column("more", checkpoint.Text))
	wants.Indexes = []checkpoint.Index{
		{Columns: []string{"note"}, Unique: true}, {Columns: []string{"note"}}, {Columns: []string{"more"}},
	}
	err := s.EnsureTables(t.Context(), wants)
	wantError(t, err, checkpoint.ErrDrift)
	if !strings.Contains(err.Error(), `unique index on (note): is missing, and rows that are there do not allow it`) {
		t.Errorf("got error %v", err)
	}
	diffs, err := s.Diff(t.Context(), was)
	check(t, err)
	if !diffs[0].Empty() {
		t.Errorf("part of a change was made: %+v", diffs)
	}

	wants.Indexes[0] = checkpoint.Index{Columns: []string{"jumps"}, Unique: true}
	check(t, s.EnsureTables(t.Context(), wants))
	check(t, s.EnsureTables(t.Context(), wants))
	err = lease.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(wants, []any{"c", int64(1), nil, nil}),
	})
	wantClass(t, s, err, checkpoint.ClassData)
	wants.Indexes = wants.Indexes[:1] // one that is not unique hurts nobody
	check(t, s.EnsureTables(t.Context(), wants))
}

// testAddedAtOnce is what many processes of a new release do when they are started together.
func testAddedAtOnce(t *testing.T, db Database) {
	stores := []checkpoint.Store{db.open(t, ponies()), db.Open(t), db.Open(t)}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			wants := ponies()
			wants.Columns = append(wants.Columns, column("more", checkpoint.Int))
			wants.Indexes = []checkpoint.Index{{Columns: []string{"more", "note"}}}
			if err := stores[i%len(stores)].EnsureTables(t.Context(), wants); err != nil {
				t.Errorf("ensure tables: %v", err)
			}
		})
	}
	wg.Wait()
}

// testAddedToViews: * in a view means all columns, also those that came later.
func testAddedToViews(t *testing.T, db Database) {
	was := ponies()
	s, ok := db.open(t, was).(checkpoint.ViewStore)
	if !ok {
		return
	}
	all := checkpoint.View{Name: "all of them", Query: "SELECT * FROM ponies"}
	some := checkpoint.View{Name: "some", Query: `SELECT * FROM "all of them" WHERE jumps > 1`}
	check(t, s.EnsureViews(t.Context(), all, some))
	wants := ponies()
	wants.Columns = append(wants.Columns, checkpoint.Column{
		Name: "more", Type: checkpoint.Type{Base: checkpoint.Text}, NotNull: true, Default: "it's",
	})
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(was, []any{"a", int64(2), nil})}))
	check(t, s.EnsureTables(t.Context(), wants))
	check(t, s.EnsureViews(t.Context(), all, some))
	viewIs(t, s, "some", 0, []string{"name", "jumps", "note", "more"}, [][]any{{"a", int64(2), nil, "it's"}})
}

// testFits checks when rows of one definition can be gone on with by another.
func testFits(t *testing.T, db Database) {
	s := db.open(t)
	one, more, other := checkpoint.Fingerprint("one"), checkpoint.Fingerprint("one", "b", "a"), checkpoint.Fingerprint("other", "a", "b")
	take := func(fingerprint string, start checkpoint.Position) error {
		lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl, Fingerprint: fingerprint, Start: start})
		if err == nil {
			check(t, lease.Release(t.Context()))
		}
		return err
	}
	start := checkpoint.AtNumber(7)
	check(t, take(other, start))
	check(t, take(more, start)) // nothing has been built yet
	check(t, take(one, start))
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl, Fingerprint: one, Start: start})
	check(t, err)
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: start, To: checkpoint.AtNumber(8)}))
	check(t, lease.Release(t.Context()))
	wantError(t, take(other, start), checkpoint.ErrDefinitionChanged)
	check(t, take(one, start))
	check(t, take(more, start)) // rows do not miss an addition
	check(t, take("", start))
	equal(t, status(t, s, "p").Fingerprint, more)
	err = take(one, start) // but they have it now
	var changed *checkpoint.DefinitionError
	if !errors.As(err, &changed) || changed.Stored != more || changed.Wants != one || changed.Position != checkpoint.AtNumber(8) {
		t.Errorf("got error %v", err)
	}
	wantError(t, take(checkpoint.Fingerprint("one", "a", "c"), start), checkpoint.ErrDefinitionChanged)
	check(t, s.Reset(t.Context(), "p"))
	check(t, take(other, start))
}
