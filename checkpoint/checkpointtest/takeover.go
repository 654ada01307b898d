package checkpointtest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// testOwnLeaseAgain: whoever could not release a lease need not wait until it runs out, and nobody else gains by it.
func testOwnLeaseAgain(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	claim := func(instance byte) (checkpoint.Lease, error) {
		return s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl, Instance: uuid.UUID{instance}})
	}
	old, err := claim(1)
	check(t, err)
	check(t, old.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(5)}))
	_, err = claim(2)
	wantError(t, err, checkpoint.ErrHeld)
	lease, err := claim(1)
	check(t, err)
	if lease.Epoch() <= old.Epoch() {
		t.Fatalf("epoch %d again, was %d", lease.Epoch(), old.Epoch())
	}
	equal(t, lease.Position(), checkpoint.AtNumber(5))
	wantError(t, old.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(5), To: checkpoint.AtNumber(6), Writes: put(table, []any{"a", int64(1), nil}),
	}), checkpoint.ErrFenced)
	equal(t, len(rows(t, s, table)), 0)
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(5), To: checkpoint.AtNumber(6)}))
	check(t, lease.Release(t.Context()))

	_, err = claim(0) // nobody in particular
	check(t, err)
	_, err = claim(0)
	wantError(t, err, checkpoint.ErrHeld)
}

func testTakeover(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	old := acquire(t, s, "p", short)
	if err := old.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(3), Last: ref(3)}); err != nil {
		t.Fatal(err) // an expired lease that nobody has taken still holds
	}
	heir := takeOver(t, db.Open(t), "p")
	equal(t, heir.Epoch(), old.Epoch()+1)
	equal(t, heir.Position(), checkpoint.AtNumber(3))
	equal(t, heir.LastEvent(), ref(3))
	st := status(t, s, "p")
	equal(t, st.Owner, "heir")
	equal(t, st.Held, true)
	check(t, old.Release(t.Context())) // does not take the lease from the heir
	check(t, heir.Renew(t.Context()))
	equal(t, status(t, s, "p").Owner, "heir")
}
