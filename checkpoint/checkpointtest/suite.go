// Package checkpointtest is the conformance suite of [checkpoint.Store]: what every implementation must do, and all in
// the same way.
//
//	func TestConformance(t *testing.T) {
//		checkpointtest.Run(t, func(t *testing.T) checkpointtest.Database { ... })
//	}
package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// Database is one empty database of a test. Each call of Open connects to it anew, as another process would; the
// database closes what it has opened at the end of the test.
type Database struct {
	Open func(t *testing.T) checkpoint.Store
}

// Run runs the suite, each test with a database of its own.
func Run(t *testing.T, newDatabase func(t *testing.T) Database) {
	tests := []struct {
		name string
		run  func(t *testing.T, db Database)
	}{
		{"Commit", testCommit},
		{"CommitFromElsewhere", testCommitFromElsewhere},
		{"CommitIsAtomic", testCommitIsAtomic},
		{"CommitRenews", testCommitRenews},
		{"Counters", testCounters},
		{"Claims", testClaims},
		{"InvalidClaim", testInvalidClaim},
		{"ClaimsRace", testClaimsRace},
		{"Takeover", testTakeover},
		{"OwnLeaseAgain", testOwnLeaseAgain},
		{"FencedChangesNothing", testFencedChangesNothing},
		{"CommitsRace", testCommitsRace},
		{"Release", testRelease},
		{"Definition", testDefinition},
		{"Fits", testFits},
		{"Start", testStart},
		{"Tx", testTx},
		{"TxFenced", testTxFenced},
		{"TxBadRow", testTxBadRow},
		{"SQLValues", testSQLValues},
		{"SQLTrace", testSQLTrace},
		{"SQLErrors", testSQLErrors},
		{"Report", testReport},
		{"List", testList},
		{"Positions", testPositions},
		{"Reset", testReset},
		{"ResetUnknown", testResetUnknown},
		{"ResetChanged", testResetChanged},
		{"Check", testCheck},
		{"ConcurrentSetup", testConcurrentSetup},
		{"Drift", testDrift},
		{"AddedColumns", testAddedColumns},
		{"AddedIndexes", testAddedIndexes},
		{"AddedAtOnce", testAddedAtOnce},
		{"AddedToViews", testAddedToViews},
		{"InvalidTables", testInvalidTables},
		{"StrangeNames", testStrangeNames},
		{"MissingTable", testMissingTable},
		{"Load", testLoad},
		{"LoadMany", testLoadMany},
		{"RowsInKeyOrder", testRowsInKeyOrder},
		{"RowsLimit", testRowsLimit},
		{"MixedRows", testMixedRows},
		{"LongKeys", testLongKeys},
		{"Prune", testPrune},
		{"Views", testViews},
		{"Types", testTypes},
		{"TypesProperty", testTypesProperty},
		{"RefusedValues", testRefusedValues},
		{"Unique", testUnique},
		{"Park", testPark},
		{"ParkIsAtomic", testParkIsAtomic},
		{"Commands", testCommands},
		{"Deaths", testDeaths},
		{"Remember", testRemember},
		{"RememberIsAtomic", testRememberIsAtomic},
		{"FencedRemembersNothing", testFencedRemembersNothing},
		{"Forget", testForget},
		{"ShardNames", testShardNames},
		{"Divide", testDivide},
		{"DivideRefused", testDivideRefused},
		{"DivideRace", testDivideRace},
		{"DivideOnlyFree", testDivideOnlyFree},
		{"ResetShards", testResetShards},
		{"ShardsParkAndObey", testShardsParkAndObey},
		{"Meet", testMeet},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newDatabase(t))
		})
	}
}

// ttl is longer than any test, for leases that must not expire.
const ttl = 5 * time.Minute

// short is a ttl that a test waits for.
const short = 50 * time.Millisecond

// open opens a store that is ready for use.
func (db Database) open(t *testing.T, tables ...*checkpoint.Table) checkpoint.Store {
	t.Helper()
	s := db.Open(t)
	check(t, s.Migrate(t.Context()))
	check(t, s.EnsureTables(t.Context(), tables...))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func wantClass(t *testing.T, s checkpoint.Store, err error, want checkpoint.Class) {
	t.Helper()
	if got := s.Classify(err); err == nil || got != want {
		t.Fatalf("class of %v is %v, want %v", err, got, want)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b checkpoint.Position) bool { return a == b })); diff != "" {
		t.Fatalf("difference (-want +got):\n%s", diff)
	}
}

func acquire(t *testing.T, s checkpoint.Store, name string, ttl time.Duration) checkpoint.Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: name, Owner: "owner of " + name, TTL: ttl})
	check(t, err)
	return lease
}

// takeOver waits until a lease has expired and takes it.
func takeOver(t *testing.T, s checkpoint.Store, name string) checkpoint.Lease {
	t.Helper()
	return takeOverFor(t, s, name, ttl)
}

func takeOverFor(t *testing.T, s checkpoint.Store, name string, ttl time.Duration) checkpoint.Lease {
	t.Helper()
	for {
		lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: name, Owner: "heir", TTL: ttl})
		var held *checkpoint.HeldError
		if !errors.As(err, &held) {
			check(t, err)
			return lease
		}
		if held.Expires > short {
			t.Fatalf("lease lives for %v more, its ttl is %v", held.Expires, short)
		}
		timer := time.NewTimer(max(held.Expires, time.Millisecond))
		select {
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		case <-timer.C:
		}
	}
}

func status(t *testing.T, s checkpoint.Store, name string) checkpoint.Status {
	t.Helper()
	list, err := s.List(t.Context())
	check(t, err)
	for _, st := range list {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("projection %q is not in the list %+v", name, list)
	return checkpoint.Status{}
}

// ponies is a table with a text key.
func ponies() *checkpoint.Table {
	return &checkpoint.Table{
		Name: "ponies",
		Columns: []checkpoint.Column{
			{Name: "name", Type: checkpoint.Type{Base: checkpoint.Text}},
			{Name: "jumps", Type: checkpoint.Type{Base: checkpoint.Int}, NotNull: true},
			{Name: "note", Type: checkpoint.Type{Base: checkpoint.Text}},
		},
		Key: []string{"name"},
	}
}

func put(table *checkpoint.Table, rows ...[]any) []checkpoint.TableWrite {
	return []checkpoint.TableWrite{{Table: table, Upserts: rows}}
}

func rows(t *testing.T, s checkpoint.Store, table *checkpoint.Table) [][]any {
	t.Helper()
	var all [][]any
	check(t, s.Rows(t.Context(), table, 0, func(row []any) bool {
		all = append(all, append([]any(nil), row...))
		return true
	}))
	return all
}

func ref(n int64) checkpoint.EventRef {
	return checkpoint.EventRef{ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n)), Position: checkpoint.AtNumber(n)}
}
