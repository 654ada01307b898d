package checkpointtest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

func testCommit(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	equal(t, lease.Name(), "p")
	equal(t, lease.Position(), checkpoint.Position{})
	equal(t, lease.LastEvent(), checkpoint.EventRef{})
	check(t, lease.Commit(t.Context(), checkpoint.Change{
		To: checkpoint.AtNumber(1), Last: ref(1), Writes: put(table, []any{"a", int64(1), nil}, []any{"b", int64(1), "x"}),
	}))
	check(t, lease.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2),
		Writes: []checkpoint.TableWrite{{Table: table, Upserts: [][]any{{"a", int64(2), "y"}}, Deletes: [][]any{{"b"}, {"none"}}}},
	}))
	equal(t, lease.Position(), checkpoint.AtNumber(2))
	equal(t, lease.LastEvent(), ref(1))
	equal(t, rows(t, s, table), [][]any{{"a", int64(2), "y"}})
	check(t, lease.Commit(t.Context(), checkpoint.Change{ // the position need not move
		From: checkpoint.AtNumber(2), To: checkpoint.AtNumber(2), Writes: put(table, []any{"a", int64(3), nil}),
	}))

	again := db.Open(t)
	equal(t, rows(t, again, table), [][]any{{"a", int64(3), nil}})
	equal(t, status(t, again, "p").Position, checkpoint.AtNumber(2))
	equal(t, status(t, again, "p").LastEvent, ref(1))
}

func testCommitFromElsewhere(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(5)}))
	for _, from := range []checkpoint.Position{{}, checkpoint.AtNumber(4), checkpoint.AtNumber(6), checkpoint.AtLog(5, 5)} {
		err := lease.Commit(t.Context(), checkpoint.Change{
			From: from, To: checkpoint.AtNumber(9), Handled: 1, Writes: put(table, []any{"a", int64(1), nil}),
		})
		wantError(t, err, checkpoint.ErrFenced)
	}
	equal(t, len(rows(t, s, table)), 0)
	equal(t, status(t, s, "p").Position, checkpoint.AtNumber(5))
	equal(t, status(t, s, "p").Handled, int64(0))
}

// testCommitIsAtomic breaks the second of two tables.
func testCommitIsAtomic(t *testing.T, db Database) {
	first, second := ponies(), ponies()
	second.Name = "second"
	s := db.open(t, first, second)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(first, []any{"old", int64(1), nil})}))
	err := lease.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Handled: 7, Last: ref(2),
		Writes: []checkpoint.TableWrite{
			{Table: first, Upserts: [][]any{{"new", int64(1), nil}, {"old", int64(9), nil}}, Deletes: [][]any{{"other"}}},
			{Table: second, Upserts: [][]any{{"fine", int64(1), nil}, {"bad", nil, nil}}},
		},
	})
	var bad *checkpoint.RowError
	if !errors.As(err, &bad) || bad.Table != "second" || bad.Column != "jumps" || bad.Row != 1 {
		t.Fatalf("got error %#v, want a RowError for row 1 of table second, column jumps", err)
	}
	wantClass(t, s, err, checkpoint.ClassData)
	equal(t, rows(t, s, first), [][]any{{"old", int64(1), nil}})
	equal(t, len(rows(t, s, second)), 0)
	st := status(t, s, "p")
	equal(t, st.Position, checkpoint.AtNumber(1))
	equal(t, st.Handled, int64(0))
	equal(t, lease.Position(), checkpoint.AtNumber(1))
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2)})) // still ours
}

func testCommitRenews(t *testing.T, db Database) {
	s := db.open(t)
	lease := acquire(t, s, "p", ttl)
	before := status(t, s, "p").Expires
	for status(t, s, "p").Expires.Equal(before) { // until the clock of the database has moved
		check(t, lease.Commit(t.Context(), checkpoint.Change{}))
	}
	between := status(t, s, "p").Expires
	for status(t, s, "p").Expires.Equal(between) {
		check(t, lease.Renew(t.Context()))
	}
	if after := status(t, s, "p").Expires; !before.Before(between) || !between.Before(after) {
		t.Fatalf("lease expires at %v, after a commit %v, after a renewal %v", before, between, after)
	}
}

func testCounters(t *testing.T, db Database) {
	s := db.open(t)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(9), Handled: 7, Ignored: 3}))
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(9), To: checkpoint.AtNumber(11), Handled: 1 << 40, Ignored: 1}))
	st := status(t, s, "p")
	equal(t, st.Handled, int64(1<<40+7))
	equal(t, st.Ignored, int64(4))
}

func testClaims(t *testing.T, db Database) {
	s := db.open(t)
	first := acquire(t, s, "p", ttl)
	_, err := db.Open(t).Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "other", TTL: ttl})
	var held *checkpoint.HeldError
	if !errors.As(err, &held) || !errors.Is(err, checkpoint.ErrHeld) {
		t.Fatalf("got error %v, want a HeldError", err)
	}
	equal(t, held.Name, "p")
	equal(t, held.Owner, "owner of p")
	if held.Expires <= 0 || held.Expires > ttl {
		t.Fatalf("the lease expires in %v, its ttl is %v", held.Expires, ttl)
	}
	second := acquire(t, s, "q", ttl) // another projection is another lease
	check(t, first.Renew(t.Context()))
	check(t, second.Renew(t.Context()))
}

func testInvalidClaim(t *testing.T, db Database) {
	s := db.open(t)
	for _, claim := range []checkpoint.Claim{
		{Owner: "o", TTL: ttl}, {Name: "p", Owner: "o"}, {Name: "p", TTL: -ttl}, {Name: "p\x00", TTL: ttl}, {Name: "p", Owner: "\xff", TTL: ttl},
	} {
		_, err := s.Acquire(t.Context(), claim)
		wantError(t, err, checkpoint.ErrInvalid)
		wantClass(t, s, err, checkpoint.ClassConfiguration)
	}
	list, err := s.List(t.Context())
	check(t, err)
	equal(t, len(list), 0)
}

// testClaimsRace lets many want a new projection, and then one whose lease has expired.
func testClaimsRace(t *testing.T, db Database) {
	s, other := db.open(t), db.Open(t)
	race := func() checkpoint.Lease {
		var mu sync.Mutex
		var won []checkpoint.Lease
		var wg sync.WaitGroup
		for i := range 8 {
			store := s
			if i%2 == 1 {
				store = other
			}
			wg.Go(func() {
				lease, err := store.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "racer", TTL: ttl})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, lease)
				} else if !errors.Is(err, checkpoint.ErrHeld) {
					t.Errorf("got error %v, want %v", err, checkpoint.ErrHeld)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 8 claims won", len(won))
		}
		return won[0]
	}
	first := race()
	check(t, first.Release(t.Context()))
	second := race()
	if second.Epoch() <= first.Epoch() {
		t.Fatalf("epoch %d after %d", second.Epoch(), first.Epoch())
	}
}

func testFencedChangesNothing(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	old := acquire(t, s, "p", short)
	heir := takeOver(t, s, "p")
	change := checkpoint.Change{To: checkpoint.AtNumber(1), Handled: 1, Ignored: 1, Last: ref(1), Writes: put(table, []any{"a", int64(1), nil})}
	wantError(t, old.Commit(t.Context(), change), checkpoint.ErrFenced)
	wantError(t, old.Renew(t.Context()), checkpoint.ErrFenced)
	wantError(t, old.Report(t.Context(), "live", ""), checkpoint.ErrFenced)
	equal(t, len(rows(t, s, table)), 0)
	st := status(t, s, "p")
	equal(t, st.Position, checkpoint.Position{})
	equal(t, st.Handled+st.Ignored, int64(0))
	equal(t, st.State, "")
	check(t, heir.Commit(t.Context(), change))
}

// testCommitsRace lets an owner whose lease has expired commit while another claims it. Whoever comes second loses.
func testCommitsRace(t *testing.T, db Database) {
	table := ponies()
	s, other := db.open(t, table), db.Open(t)
	handled := int64(0)
	for range 20 {
		old := takeOverFor(t, s, "p", checkpoint.MinTTL)
		for status(t, s, "p").Held { // until the lease has expired
		}
		from := old.Position()
		number, _ := from.Number()
		to := checkpoint.AtNumber(number + 1)
		var commitErr, claimErr error
		var heir checkpoint.Lease
		var wg sync.WaitGroup
		wg.Go(func() {
			commitErr = old.Commit(t.Context(), checkpoint.Change{From: from, To: to, Handled: 1, Writes: put(table, []any{"a", number + 1, nil})})
		})
		wg.Go(func() {
			heir, claimErr = other.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "heir", TTL: ttl})
		})
		wg.Wait()
		if commitErr == nil {
			handled++
		}
		switch {
		case commitErr == nil && claimErr == nil:
			equal(t, heir.Position(), to)
		case commitErr == nil:
			wantError(t, claimErr, checkpoint.ErrHeld)
		default:
			wantError(t, commitErr, checkpoint.ErrFenced)
			check(t, claimErr)
			equal(t, heir.Position(), from)
		}
		equal(t, status(t, s, "p").Handled, handled)
		if heir != nil {
			check(t, heir.Release(t.Context()))
		}
	}
}

func testRelease(t *testing.T, db Database) {
	table := ponies()
	s := db.open(t, table)
	first := acquire(t, s, "p", ttl)
	check(t, first.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}))
	check(t, first.Release(t.Context()))
	st := status(t, s, "p")
	equal(t, st.Owner, "")
	equal(t, st.Held, false)
	equal(t, st.Expires, time.Time{})
	change := checkpoint.Change{From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Writes: put(table, []any{"a", int64(1), nil})}
	wantError(t, first.Commit(t.Context(), change), checkpoint.ErrFenced)
	_, err := first.Begin(t.Context())
	wantError(t, err, checkpoint.ErrFenced)
	wantError(t, first.Renew(t.Context()), checkpoint.ErrFenced)

	second := acquire(t, s, "p", ttl)
	equal(t, second.Epoch(), first.Epoch()+1)
	equal(t, second.Position(), checkpoint.AtNumber(1))
	check(t, first.Release(t.Context())) // idempotent, and of no harm
	equal(t, status(t, s, "p").Held, true)
	check(t, second.Commit(t.Context(), change))
}

func testDefinition(t *testing.T, db Database) {
	s := db.open(t)
	claim := checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl}
	lease, err := s.Acquire(t.Context(), claim) // not checked
	check(t, err)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(7)}))
	check(t, lease.Release(t.Context()))
	claim.Fingerprint = "one"
	lease, err = s.Acquire(t.Context(), claim) // stored
	check(t, err)
	equal(t, status(t, s, "p").Fingerprint, "one")
	claim.Fingerprint = "two"
	_, err = s.Acquire(t.Context(), claim)
	wantError(t, err, checkpoint.ErrHeld) // an owner of the old definition may be shutting down
	check(t, lease.Release(t.Context()))

	_, err = s.Acquire(t.Context(), claim)
	var changed *checkpoint.DefinitionError
	if !errors.As(err, &changed) || !errors.Is(err, checkpoint.ErrDefinitionChanged) {
		t.Fatalf("got error %v, want a DefinitionError", err)
	}
	equal(t, *changed, checkpoint.DefinitionError{Name: "p", Stored: "one", Wants: "two", Position: checkpoint.AtNumber(7)})
	wantClass(t, s, err, checkpoint.ClassConfiguration)
	equal(t, status(t, s, "p").Epoch, lease.Epoch()) // nothing has changed
	equal(t, status(t, s, "p").Held, false)
	claim.Fingerprint = ""
	lease, err = s.Acquire(t.Context(), claim) // not checked, and not forgotten
	check(t, err)
	equal(t, status(t, s, "p").Fingerprint, "one")
	check(t, lease.Release(t.Context()))
	check(t, s.Reset(t.Context(), "p"))
	claim.Fingerprint = "two"
	_, err = s.Acquire(t.Context(), claim)
	check(t, err)
}

func testStart(t *testing.T, db Database) {
	s := db.open(t)
	claim := checkpoint.Claim{Name: "p", TTL: ttl, Start: checkpoint.AtLog(100, 90)}
	lease, err := s.Acquire(t.Context(), claim)
	check(t, err)
	equal(t, lease.Position(), claim.Start)
	check(t, lease.Release(t.Context()))
	claim.Start = checkpoint.AtLog(200, 200)
	lease, err = s.Acquire(t.Context(), claim) // has begun already
	check(t, err)
	equal(t, lease.Position(), checkpoint.AtLog(100, 90))
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtLog(100, 90), To: checkpoint.AtLog(300, 300)}))
	check(t, lease.Release(t.Context()))
	check(t, s.Reset(t.Context(), "p"))
	lease, err = s.Acquire(t.Context(), claim)
	check(t, err)
	equal(t, lease.Position(), claim.Start)
}

func testReport(t *testing.T, db Database) {
	s := db.open(t)
	lease := acquire(t, s, "p", ttl)
	check(t, lease.Report(t.Context(), "retrying", `handler "a": no`))
	st := status(t, s, "p")
	equal(t, st.State, "retrying")
	equal(t, st.Reason, `handler "a": no`)
	check(t, lease.Report(t.Context(), "live", ""))
	st = status(t, s, "p")
	equal(t, st.State, "live")
	equal(t, st.Reason, "")
	check(t, lease.Report(t.Context(), "stopped", "bytes \x00 and \xff that text cannot hold"))
	if reason := status(t, s, "p").Reason; !strings.Contains(reason, "that text cannot hold") {
		t.Fatalf("the reason is %q", reason)
	}
}

func testList(t *testing.T, db Database) {
	s := db.open(t)
	list, err := s.List(t.Context())
	check(t, err)
	equal(t, len(list), 0)
	for _, name := range []string{"b", "a", "Z", "ä", "b c"} {
		acquire(t, s, name, ttl)
	}
	list, err = s.List(t.Context())
	check(t, err)
	var names []string
	for _, st := range list {
		names = append(names, st.Name)
	}
	equal(t, names, []string{"Z", "a", "b", "b c", "ä"})
	st := list[1]
	equal(t, st.Owner, "owner of a")
	equal(t, st.Held, true)
	equal(t, st.Epoch, int64(1))
	if left := time.Until(st.Expires); left <= 0 || left > ttl+time.Minute {
		t.Fatalf("the lease expires in %v, its ttl is %v", left, ttl)
	}
	if st.Updated.IsZero() || st.Updated.Location() != time.UTC && st.Updated.Location() != time.Local {
		t.Fatalf("updated at %v", st.Updated)
	}
}

func testPositions(t *testing.T, db Database) {
	s := db.open(t)
	lease := acquire(t, s, "p", ttl)
	from := checkpoint.Position{}
	for _, to := range []checkpoint.Position{
		checkpoint.AtNumber(0), checkpoint.AtNumber(1<<63 - 1), checkpoint.AtLog(1<<62, 1<<61),
		checkpoint.AtNumbers(map[string]int64{`pony "ä", {1}=2`: 4, "b\x00\xff": 7}),
		{},
	} {
		last := checkpoint.EventRef{ID: uuid.New(), Position: to}
		check(t, lease.Commit(t.Context(), checkpoint.Change{From: from, To: to, Last: last}))
		equal(t, status(t, s, "p").Position, to)
		check(t, lease.Release(t.Context()))
		lease = acquire(t, s, "p", ttl)
		equal(t, lease.Position(), to)
		equal(t, lease.LastEvent(), last)
		from = to
	}
}
