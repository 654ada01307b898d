package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

func column(name string, base checkpoint.Base) checkpoint.Column {
	return checkpoint.Column{Name: name, Type: checkpoint.Type{Base: base}}
}

// A table that is not as defined any more is made anew.
// testConcurrentSetup is what many processes do when they are started together.
func testLoad(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	loaded, err := lease.Load(t.Context(), table, nil)
	check(t, err)
	equal(t, len(loaded), 0)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, []any{"a", int64(1), nil}, []any{"b", int64(2), "x"})}))
	loaded, err = lease.Load(t.Context(), table, [][]any{{"b"}, {"none"}, {"a"}, {"b"}, {""}})
	check(t, err)
	equal(t, loaded, [][]any{{"b", int64(2), "x"}, nil, {"a", int64(1), nil}, {"b", int64(2), "x"}, nil})
	_, err = lease.Load(t.Context(), table, [][]any{{"a"}, {nil}})
	wantClass(t, s, err, checkpoint.ClassData)
	_, err = lease.Load(t.Context(), table, [][]any{{"a", "b"}})
	wantClass(t, s, err, checkpoint.ClassData)
}

func testLoadMany(t *testing.T, db Database) {
	table := &checkpoint.Table{
		Name:    "pairs",
		Columns: []checkpoint.Column{column("v", checkpoint.Text), column("b", checkpoint.Text), column("a", checkpoint.Int)},
		Key:     []string{"a", "b"},
	}
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	const n = 1500
	var upserts, keys [][]any
	for i := range int64(n) {
		upserts = append(upserts, []any{fmt.Sprint("value ", i), fmt.Sprint(i % 7), i})
		keys = append(keys, []any{i, fmt.Sprint(i % 7)}, []any{i, "none"})
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, upserts...)}))
	loaded, err := lease.Load(t.Context(), table, keys)
	check(t, err)
	for i := range upserts {
		equal(t, loaded[2*i], upserts[i])
		equal(t, len(loaded[2*i+1]), 0)
	}
	var deletes [][]any
	for i := 0; i < len(keys); i += 4 {
		deletes = append(deletes, keys[i])
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: []checkpoint.TableWrite{{Table: table, Deletes: deletes}}}))
	count, err := s.Count(t.Context(), table)
	check(t, err)
	equal(t, count, int64(n/2))
}

// testRowsInKeyOrder checks the order of every type that can be in a key.
func testRowsInKeyOrder(t *testing.T, db Database) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for base, sorted := range map[checkpoint.Base][]any{
		checkpoint.Text:  {"", " ", "A", "B", "Z", "_", "a", "aa", "b", "z", "Ä", "ä", "\uffff", "😀"},
		checkpoint.Int:   {int64(math.MinInt64), int64(-10), int64(-9), int64(0), int64(9), int64(10), int64(1<<53 + 1), int64(math.MaxInt64)},
		checkpoint.Float: {-math.MaxFloat64, -1.5, 0.0, math.SmallestNonzeroFloat64, 0.1, 1.0, 10.0, math.MaxFloat64},
		checkpoint.Bool:  {false, true},
		checkpoint.Time:  {time.Time{}, day.AddDate(-1000, 0, 0), day, day.Add(time.Microsecond), day.Add(time.Second), day.AddDate(7000, 0, 0)},
		checkpoint.UUID:  {uuid.Nil, uuid.MustParse("00000000-0000-0000-0000-0000000000ff"), uuid.MustParse("7fffffff-0000-0000-0000-000000000000"), uuid.Max},
		checkpoint.Bytes: {[]byte{}, []byte{0}, []byte{0, 0}, []byte{0, 1}, []byte("a"), []byte{0xff}},
	} {
		t.Run(base.String(), func(t *testing.T) {
			table := &checkpoint.Table{Name: "keys_" + base.String(), Columns: []checkpoint.Column{column("k", base)}, Key: []string{"k"}}
			s := db.open(t, table)
			lease := acquire(t, s, "p "+base.String(), ttl)
			var shuffled, want [][]any
			for i := range sorted {
				shuffled = append(shuffled, []any{sorted[(i*5+3)%len(sorted)]})
				want = append(want, []any{sorted[i]})
			}
			if len(sorted)%5 == 0 {
				t.Fatalf("%d values are not shuffled well by 5", len(sorted))
			}
			check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, shuffled...)}))
			check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, shuffled...)})) // the keys are found again
			equal(t, rows(t, s, table), want)
			loaded, err := lease.Load(t.Context(), table, want)
			check(t, err)
			equal(t, loaded, want)
		})
	}
}

func testRowsLimit(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, []any{"c", int64(3), nil}, []any{"a", int64(1), nil}, []any{"b", int64(2), nil})}))
	names := func(limit, stop int) (got string) {
		check(t, s.Rows(t.Context(), table, limit, func(row []any) bool {
			got += row[0].(string)
			return len(got) != stop
		}))
		return got
	}
	equal(t, names(0, 0), "abc")
	equal(t, names(2, 0), "ab")
	equal(t, names(9, 0), "abc")
	equal(t, names(0, 1), "a")
	check(t, s.Rows(t.Context(), table, 0, func([]any) bool { // the store can be used meanwhile
		n, err := s.Count(t.Context(), table)
		check(t, err)
		equal(t, n, int64(3))
		return true
	}))
}

func testUnique(t *testing.T, db Database) {
	table := ponies()
	table.Indexes = []checkpoint.Index{{Columns: []string{"note", "jumps"}, Unique: true}}
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table,
		[]any{"a", int64(1), "x"}, []any{"b", int64(2), "x"}, []any{"c", int64(1), nil}, []any{"d", int64(1), nil})}))
	err := lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"e", int64(3), "y"}, []any{"f", int64(2), "x"})})
	var bad *checkpoint.RowError
	if !errors.As(err, &bad) || bad.Table != "ponies" || bad.Row != 1 && bad.Row != -1 {
		t.Fatalf("got error %v, want a RowError", err)
	}
	wantClass(t, s, err, checkpoint.ClassData)
	equal(t, len(rows(t, s, table)), 4)
	equal(t, status(t, s, "p").Position, checkpoint.Position{})
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: []checkpoint.TableWrite{{ // what is deleted makes room
		Table: table, Deletes: [][]any{{"b"}}, Upserts: [][]any{{"f", int64(2), "x"}, {"a", int64(1), "x"}},
	}}}))
	equal(t, len(rows(t, s, table)), 4)
}

func testCancelled(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, lease.Commit(ctx, checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, []any{"a", int64(1), nil})}), context.Canceled)
	wantError(t, lease.Renew(ctx), context.Canceled)
	_, err := lease.Load(ctx, table, [][]any{{"a"}})
	wantError(t, err, context.Canceled)
	_, err = lease.Begin(ctx)
	wantError(t, err, context.Canceled)
	_, err = s.Acquire(ctx, checkpoint.Claim{Name: "q", TTL: ttl})
	wantError(t, err, context.Canceled)
	equal(t, status(t, s, "p").Position, checkpoint.Position{})
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
}

func testClosed(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	check(t, s.Close())
	check(t, s.Close())
	wantError(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}), checkpoint.ErrClosed)
	_, err := s.List(t.Context())
	wantError(t, err, checkpoint.ErrClosed)
	_, err = s.Acquire(t.Context(), checkpoint.Claim{Name: "q", TTL: ttl})
	wantError(t, err, checkpoint.ErrClosed)
}

// testMixedRows writes many rows at once of which none, some and all are there already, as a store may take another way
// for each.
func testMixedRows(t *testing.T, db Database) {
	table := ponies()
	table.Indexes = []checkpoint.Index{{Columns: []string{"note"}, Unique: true}}
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	want := map[string]int64{}
	n := int64(0)
	commit := func(names []string) error {
		var upserts [][]any
		for _, name := range names {
			upserts = append(upserts, []any{name, n, nil})
		}
		err := lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: checkpoint.AtNumber(n), Handled: 1, Writes: put(table, upserts...)})
		n++
		return err
	}
	names := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprintf("pony %04d", i))
		}
		return list
	}
	for _, span := range [][2]int{{0, 200}, {200, 400}, {300, 500}, {0, 500}, {500, 700}, {600, 601}, {650, 900}} {
		for _, name := range names(span[0], span[1]) {
			want[name] = n
		}
		check(t, commit(names(span[0], span[1])))
		equal(t, status(t, s, "p").Handled, n)
	}
	got := map[string]int64{}
	for _, row := range rows(t, s, table) {
		got[row[0].(string)] = row[1].(int64)
	}
	equal(t, got, want)

	var upserts [][]any // a broken constraint is one all the same
	for _, name := range names(1000, 1100) {
		upserts = append(upserts, []any{name, int64(0), "the same"})
	}
	at := lease.Position()
	err := lease.Commit(t.Context(), checkpoint.Change{From: at, To: checkpoint.AtNumber(n), Writes: put(table, upserts...)})
	wantClass(t, s, err, checkpoint.ClassData)
	equal(t, len(rows(t, s, table)), len(want))

	twin := acquire(t, s, "q", short) // who has lost the lease learns that, and not that a row is there
	takeOver(t, s, "q")
	for i := range upserts {
		upserts[i] = []any{fmt.Sprintf("pony %04d", i), int64(0), nil}
	}
	wantError(t, twin.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, upserts...)}), checkpoint.ErrFenced)
}

// testLongKeys checks the limit of keys, with text that cannot be compressed.
func testLongKeys(t *testing.T, db Database) {
	table := &checkpoint.Table{
		Name: "long", Key: []string{"a", "b"}, Columns: []checkpoint.Column{column("a", checkpoint.Text), column("b", checkpoint.Bytes)},
	}
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	noise := make([]byte, checkpoint.MaxKey/2)
	rand.NewChaCha8([32]byte{}).Read(noise) //nolint:errcheck // it never fails
	text := fmt.Sprintf("%x", noise)[:checkpoint.MaxKey/2]
	row := []any{text, noise}
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, row)}))
	equal(t, rows(t, s, table), [][]any{row})
	for _, key := range [][]any{{text + "x", noise}, {text, append(noise, 0)}} {
		wantClass(t, s, lease.Commit(t.Context(), checkpoint.Change{Writes: put(table, key)}), checkpoint.ClassData)
		_, err := lease.Load(t.Context(), table, [][]any{key})
		wantClass(t, s, err, checkpoint.ClassData)
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{Writes: []checkpoint.TableWrite{{Table: table, Deletes: [][]any{row}}}}))
}
