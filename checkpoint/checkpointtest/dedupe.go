package checkpointtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// dedupe opens a store that must be able to remember events, and a lease in it.
func (db Database) dedupe(t *testing.T, tables ...*checkpoint.Table) (checkpoint.DedupeStore, checkpoint.DedupeLease) {
	t.Helper()
	s, ok := db.open(t, tables...).(checkpoint.DedupeStore)
	if !ok {
		t.Fatal("the store is no DedupeStore")
	}
	return s, dedupeLease(t, acquire(t, s, "p", ttl))
}

func dedupeLease(t *testing.T, lease checkpoint.Lease) checkpoint.DedupeLease {
	t.Helper()
	d, ok := lease.(checkpoint.DedupeLease)
	if !ok {
		t.Fatal("the lease is no DedupeLease")
	}
	return d
}

// manyIDs makes ids from first up to, but not including, end.
func manyIDs(first, end int) []uuid.UUID {
	var ids []uuid.UUID
	for n := first; n < end; n++ {
		ids = append(ids, ref(int64(n)).ID)
	}
	return ids
}

func remember(window time.Duration, ids ...uuid.UUID) checkpoint.Change {
	return checkpoint.Change{Dedupe: checkpoint.Dedupe{IDs: ids, Window: window}}
}

func known(t *testing.T, lease checkpoint.DedupeLease, ids []uuid.UUID, want ...uuid.UUID) {
	t.Helper()
	got, err := lease.Known(t.Context(), ids)
	check(t, err)
	wants := map[uuid.UUID]bool{}
	for _, id := range want {
		wants[id] = true
	}
	equal(t, got, wants)
}

func testRemember(t *testing.T, db Database) {
	s, lease := db.dedupe(t)
	ids := manyIDs(0, 700)
	known(t, lease, nil)
	known(t, lease, ids)
	check(t, lease.Commit(t.Context(), remember(time.Hour, ids[:600]...)))
	check(t, lease.Commit(t.Context(), checkpoint.Change{})) // nothing to remember
	known(t, lease, ids[599:602], ids[599])
	known(t, lease, ids[:600], ids[:600]...)
	other := dedupeLease(t, acquire(t, s, "q", ttl)) // another projection, the same events
	known(t, other, ids)
	check(t, other.Commit(t.Context(), remember(time.Hour, ids[0])))
	n, err := s.Remembered(t.Context(), "p")
	check(t, err)
	equal(t, n, int64(600))
	_, err = s.Remembered(t.Context(), "unknown")
	wantError(t, err, checkpoint.ErrUnknownProjection)

	check(t, lease.Release(t.Context()))
	heir := dedupeLease(t, acquire(t, db.Open(t), "p", ttl))
	known(t, heir, ids[595:605], ids[595:600]...)
	check(t, heir.Release(t.Context()))
	check(t, s.Reset(t.Context(), "p"))
	n, err = s.Remembered(t.Context(), "p")
	check(t, err)
	equal(t, n, int64(0))
	known(t, other, ids, ids[0])
}

// testRememberIsAtomic checks that ids are part of the commit, and that a commit with an id that is known changes nothing.
func testRememberIsAtomic(t *testing.T, db Database) {
	table := ponies()
	s, lease := db.dedupe(t, table)
	ids := manyIDs(0, 4)
	bad := remember(time.Hour, ids[0])
	bad.Writes = put(table, []any{"x", "text", nil})
	wantClass(t, s, lease.Commit(t.Context(), bad), checkpoint.ClassData)
	bad = remember(time.Hour, ids[0])
	bad.From = checkpoint.AtNumber(7)
	wantError(t, lease.Commit(t.Context(), bad), checkpoint.ErrFenced)
	known(t, lease, ids)

	good := remember(time.Hour, ids[0], ids[1])
	good.Writes = put(table, []any{"x", int64(1), nil})
	check(t, lease.Commit(t.Context(), good))
	again := remember(time.Hour, ids[2], ids[1])
	again.Writes, again.Handled = put(table, []any{"x", int64(2), nil}), 1
	wantError(t, lease.Commit(t.Context(), again), checkpoint.ErrFenced)
	tx, err := lease.Begin(t.Context())
	check(t, err)
	wantError(t, tx.Commit(t.Context(), again), checkpoint.ErrFenced)
	known(t, lease, ids, ids[0], ids[1])
	equal(t, rows(t, s, table), [][]any{{"x", int64(1), nil}})
	equal(t, status(t, s, "p").Handled, int64(0))
	tx, err = lease.Begin(t.Context())
	check(t, err)
	check(t, tx.Commit(t.Context(), remember(time.Hour, ids[3])))
	known(t, lease, ids, ids[0], ids[1], ids[3])
}

// testFencedRemembersNothing has an owner wake up that had events in hand which its heir has handled.
func testFencedRemembersNothing(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	old := dedupeLease(t, acquire(t, s, "p", short))
	heir := dedupeLease(t, takeOver(t, db.Open(t), "p"))
	change := remember(time.Hour, manyIDs(0, 3)...)
	change.Writes = put(table, []any{"x", int64(1), nil})
	check(t, heir.Commit(t.Context(), change))
	change.Writes = put(table, []any{"x", int64(2), nil})
	wantError(t, old.Commit(t.Context(), change), checkpoint.ErrFenced)
	wantError(t, old.Commit(t.Context(), remember(time.Hour, manyIDs(9, 10)...)), checkpoint.ErrFenced)
	equal(t, rows(t, s, table), [][]any{{"x", int64(1), nil}})
	known(t, heir, manyIDs(0, 10), manyIDs(0, 3)...)
}

// testForget checks that old ids are forgotten with the commits that bring new ones, and the new ones are not.
func testForget(t *testing.T, db Database) {
	s, lease := db.dedupe(t)
	other := dedupeLease(t, acquire(t, s, "q", ttl))
	old := manyIDs(0, 3*checkpoint.ForgetAtLeast)
	check(t, lease.Commit(t.Context(), remember(time.Hour, old...)))
	check(t, other.Commit(t.Context(), remember(time.Hour, old...)))
	for i := 0; ; i++ {
		id := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, i))
		before, err := s.Remembered(t.Context(), "p")
		check(t, err)
		check(t, lease.Commit(t.Context(), remember(time.Millisecond, id)))
		after, err := s.Remembered(t.Context(), "p")
		check(t, err)
		if gone := before + 1 - after; gone < 0 || gone > checkpoint.ForgetAtLeast {
			t.Fatalf("%d ids were forgotten by one commit", gone)
		}
		known(t, lease, []uuid.UUID{id}, id)
		if left, err := lease.Known(t.Context(), old); err != nil || len(left) == 0 {
			check(t, err)
			break
		}
	}
	known(t, other, old, old...)
	check(t, lease.Commit(t.Context(), remember(time.Hour, old[0]))) // as if it had never been
}
