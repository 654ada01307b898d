package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// shards opens a store that must be able to divide projections.
func (db Database) shards(t *testing.T, tables ...*checkpoint.Table) checkpoint.ShardStore {
	t.Helper()
	s, ok := db.open(t, tables...).(checkpoint.ShardStore)
	if !ok {
		t.Fatal("the store is no ShardStore")
	}
	return s
}

func divide(t *testing.T, s checkpoint.ShardStore, n int) {
	t.Helper()
	check(t, s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: n, Fingerprint: "f"}))
}

// shard acquires one, which somebody releases.
func shard(t *testing.T, s checkpoint.Store, i, n int) checkpoint.ParkingLease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{
		Name: checkpoint.ShardName("p", i, n), Owner: fmt.Sprint("owner ", i), TTL: ttl, Fingerprint: "f", Instance: uuid.New(),
	})
	check(t, err)
	return parkingLease(t, lease)
}

// moveAll brings all shards to a position, and handles one event in each.
func moveAll(t *testing.T, s checkpoint.Store, n int, to checkpoint.Position) {
	t.Helper()
	for i := range n {
		lease := shard(t, s, i, n)
		check(t, lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: to, Handled: 1, Ignored: 2, Last: checkpoint.EventRef{ID: ref(7).ID, Position: to}}))
		check(t, lease.Release(t.Context()))
	}
}

func testShardNames(t *testing.T, db Database) {
	s := db.shards(t)
	for _, base := range []string{"p", "p#3/8", "#", "ä\nb"} {
		name := checkpoint.ShardName(base, 3, 16)
		got, i, n, ok := checkpoint.ParseShardName(name)
		if got != base || i != 3 || n != 16 || !ok {
			t.Errorf("%q is shard %d of %d of %q, %v", name, i, n, got, ok)
		}
	}
	for _, name := range []string{"", "p", "p#3", "p#3/", "p#x/8", "p#3/8 "} {
		if _, _, _, ok := checkpoint.ParseShardName(name); ok {
			t.Errorf("%q is a shard", name)
		}
	}
	for _, d := range []checkpoint.Division{
		{}, {Name: "p"}, {Name: "p", Shards: -1}, {Name: "p", Shards: checkpoint.MaxShards + 1}, {Name: "p#1/2", Shards: 2},
	} {
		wantError(t, s.Divide(t.Context(), d), checkpoint.ErrInvalid)
	}
}

// testDivide goes from one lease to several and back.
func testDivide(t *testing.T, db Database) {
	s := db.shards(t)
	check(t, s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 1}))
	list, err := s.List(t.Context())
	check(t, err)
	equal(t, len(list), 0)
	_, err = s.Acquire(t.Context(), checkpoint.Claim{Name: "p#0/4", TTL: ttl})
	wantError(t, err, checkpoint.ErrShards)
	wantClass(t, s, err, checkpoint.ClassConfiguration)

	lease := acquire(t, s, "p", ttl)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(41), Handled: 40, Ignored: 2, Last: ref(41)}))
	check(t, lease.Report(t.Context(), "stopped", ""))
	check(t, lease.Release(t.Context()))
	divide(t, s, 4)
	divide(t, s, 4) // nothing happens
	st := status(t, s, "p")
	equal(t, st.State, "stopped")
	equal(t, len(st.Shards), 4)
	equal(t, st.Position, checkpoint.AtNumber(41))
	equal(t, st.Handled, int64(40))
	equal(t, st.Held, false)
	_, err = s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: ttl})
	wantError(t, err, checkpoint.ErrShards)
	for i, sh := range st.Shards {
		equal(t, sh.Name, checkpoint.ShardName("p", i, 4))
		lease := shard(t, s, i, 4)
		equal(t, lease.Position(), checkpoint.AtNumber(41))
		equal(t, lease.LastEvent(), ref(41))
		if lease.Epoch() <= 1 {
			t.Errorf("epoch %d of shard %d is not beyond that of the projection", lease.Epoch(), i)
		}
		check(t, lease.Commit(t.Context(), checkpoint.Change{
			From: checkpoint.AtNumber(41), To: checkpoint.AtNumber(50 + int64(i)), Handled: 5, Parking: checkpoint.Parking{Skipped: 1},
		}))
		check(t, lease.Report(t.Context(), "live", ""))
	}
	st = status(t, s, "p")
	equal(t, st.Position, checkpoint.AtNumber(50))
	equal(t, st.Handled, int64(60))
	equal(t, st.Held, true)
	equal(t, st.Owner, "owner 0, owner 1, owner 2, owner 3")
	equal(t, st.State, "live")
	equal(t, st.Fingerprint, "f")
	equal(t, st.Shards[3].Position, checkpoint.AtNumber(53))
}

func testDivideRefused(t *testing.T, db Database) {
	s := db.shards(t)
	start := checkpoint.AtNumber(9)
	check(t, s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 3, Fingerprint: "f", Start: start}))
	first := shard(t, s, 0, 3)
	equal(t, first.Position(), start)
	check(t, first.Commit(t.Context(), checkpoint.Change{
		From: start, To: checkpoint.AtNumber(12), Handled: 1, Parking: checkpoint.Parking{Park: []checkpoint.Parked{failed("a", 1)}},
	}))
	refused := func(to int, want ...string) {
		t.Helper()
		err := s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: to, Fingerprint: "f"})
		var e *checkpoint.ShardsError
		if !errors.As(err, &e) || e.Stored != 3 || e.Wants != to {
			t.Fatalf("got error %v, want a ShardsError from 3 to %d", err, to)
		}
		wantClass(t, s, err, checkpoint.ClassConfiguration)
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q lacks %q", err, part)
			}
		}
	}
	refused(8, "shard 0 is owned by owner 0", "shard 0 is waiting for parked events", "shard 0 is at 12", "shards 1-2 are at 9", "from 3", "to 8", "reset p")
	refused(1)
	check(t, first.Release(t.Context()))
	refused(8, "shard 0 is waiting for parked events", "shards 1-2 are at 9")
	first = shard(t, s, 0, 3)
	check(t, first.Commit(t.Context(), checkpoint.Change{
		From: checkpoint.AtNumber(12), To: checkpoint.AtNumber(12), Parking: checkpoint.Parking{Unpark: []int64{parked(t, s, nil, 0, 0)[0].Number}},
	}))
	number, err := s.Send(t.Context(), checkpoint.ShardName("p", 1, 3), checkpoint.Command{Name: "parked.retry"})
	check(t, err)
	check(t, first.Release(t.Context()))
	refused(8, "shard 0 is at 12", "shards 1-2 are at 9")
	err = s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 8, Fingerprint: "other"})
	wantError(t, err, checkpoint.ErrDefinitionChanged)
	moveAll(t, s, 3, checkpoint.AtNumber(20))
	before := status(t, s, "p")
	divide(t, s, 8)
	st := status(t, s, "p")
	equal(t, len(st.Shards), 8)
	equal(t, [3]int64{st.Handled, st.Ignored, st.Parked}, [3]int64{4, 6, 0})
	equal(t, st.Position, checkpoint.AtNumber(20))
	if st.Epoch <= before.Epoch {
		t.Errorf("epoch %d after %d", st.Epoch, before.Epoch)
	}
	c, err := s.Command(t.Context(), number)
	check(t, err)
	if c.Done.IsZero() || !c.Refused {
		t.Errorf("the command to a shard that is gone is %+v", c)
	}
	wantError(t, first.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(12), To: checkpoint.AtNumber(13)}), checkpoint.ErrFenced)
	_, err = s.Acquire(t.Context(), checkpoint.Claim{Name: checkpoint.ShardName("p", 0, 3), TTL: ttl})
	wantError(t, err, checkpoint.ErrShards)

	divide(t, s, 1)
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", TTL: ttl, Fingerprint: "f"})
	check(t, err)
	equal(t, lease.Position(), checkpoint.AtNumber(20))
	equal(t, lease.LastEvent(), checkpoint.EventRef{ID: ref(7).ID, Position: checkpoint.AtNumber(20)})
	equal(t, status(t, s, "p").Handled, int64(4))
	equal(t, len(status(t, s, "p").Shards), 0)
}

// testDivideRace has many divide at once, two into another number. One number wins, and nobody has a lease of another.
func testDivideRace(t *testing.T, db Database) {
	var stores []checkpoint.ShardStore
	for range 6 {
		stores = append(stores, db.shards(t))
	}
	var racing sync.WaitGroup
	errs := make([]error, len(stores))
	for i, s := range stores {
		racing.Go(func() {
			n := 4 + 4*(i%2)
			name := checkpoint.ShardName("p", 0, n)
			for {
				errs[i] = s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: n})
				if errs[i] != nil {
					return
				}
				_, errs[i] = s.Acquire(t.Context(), checkpoint.Claim{Name: name, Owner: fmt.Sprint(i), TTL: ttl})
				if !errors.Is(errs[i], checkpoint.ErrShards) {
					return // else somebody has divided it anew in between
				}
			}
		})
	}
	racing.Wait()
	owners, held, refused := 0, 0, 0
	for _, err := range errs {
		switch {
		case err == nil:
			owners++
		case errors.Is(err, checkpoint.ErrHeld):
			held++
		case errors.Is(err, checkpoint.ErrShards):
			refused++
		default:
			t.Error(err)
		}
	}
	if n := len(status(t, stores[0], "p").Shards); owners != 1 || held != 2 || refused != 3 || n != 4 && n != 8 {
		t.Errorf("%d own shard 0, %d wait for it, %d are refused, %d shards: %v", owners, held, refused, n, errs)
	}
}

// testDivideOnlyFree checks that a lease that has run out does not stand in the way, and is fenced then.
func testDivideOnlyFree(t *testing.T, db Database) {
	s := db.shards(t)
	dead := acquire(t, s, "p", short)
	for {
		err := s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 2})
		if err == nil {
			break
		}
		wantError(t, err, checkpoint.ErrShards)
	}
	wantError(t, dead.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1)}), checkpoint.ErrFenced)
	wantError(t, dead.Renew(t.Context()), checkpoint.ErrFenced)
	check(t, dead.Release(t.Context()))
	wantError(t, s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 2}), nil)
}

func testResetShards(t *testing.T, db Database) {
	table := ponies()
	s := db.shards(t, table)
	divide(t, s, 2)
	lease := shard(t, s, 1, 2)
	check(t, lease.Commit(t.Context(), checkpoint.Change{
		To: checkpoint.AtNumber(3), Writes: put(table, []any{"a", int64(1), nil}), Handled: 3,
		Parking: checkpoint.Parking{Park: []checkpoint.Parked{failed("a", 1)}},
	}))
	wantError(t, s.Reset(t.Context(), "p", table), checkpoint.ErrHeld)
	equal(t, len(rows(t, s, table)), 1)
	check(t, lease.Release(t.Context()))
	wantError(t, s.Reset(t.Context(), checkpoint.ShardName("p", 1, 2), table), checkpoint.ErrUnknownProjection)
	check(t, s.Reset(t.Context(), "p", table))
	equal(t, len(rows(t, s, table)), 0)
	equal(t, len(parked(t, s, nil, 0, 0)), 0)
	st := status(t, s, "p")
	equal(t, [2]int64{st.Handled, st.Parked}, [2]int64{0, 0})
	if st.Epoch <= lease.Epoch() {
		t.Errorf("epoch %d after %d", st.Epoch, lease.Epoch())
	}
	check(t, s.Divide(t.Context(), checkpoint.Division{Name: "p", Shards: 5, Start: checkpoint.AtNumber(8), Fingerprint: "new"}))
	equal(t, status(t, s, "p").Position, checkpoint.AtNumber(8))
	equal(t, status(t, s, "p").Fingerprint, "new")
}

func testShardsParkAndObey(t *testing.T, db Database) {
	s := db.shards(t)
	divide(t, s, 2)
	leases := []checkpoint.ParkingLease{shard(t, s, 0, 2), shard(t, s, 1, 2)}
	for _, i := range []int{0, 1, 0} {
		at := leases[i].Position()
		check(t, leases[i].Commit(t.Context(), checkpoint.Change{From: at, To: at, Parking: checkpoint.Parking{Park: []checkpoint.Parked{failed(fmt.Sprint(i), 1)}}}))
	}
	sameParked(t, parked(t, s, nil, 0, 0), failed("0", 1), failed("1", 1), failed("0", 1))
	mine, err := leases[1].Parked(t.Context(), nil, 0, 0)
	check(t, err)
	sameParked(t, mine, failed("1", 1))
	keys, err := leases[0].ParkedKeys(t.Context())
	check(t, err)
	equal(t, keys, map[string]int64{"0": 2})
	st := status(t, s, "p")
	equal(t, [3]int64{st.Parked, st.Shards[0].Parked, st.Shards[1].Parked}, [3]int64{3, 2, 1})

	_, err = s.Send(t.Context(), "p", checkpoint.Command{Name: "parked.retry"})
	wantError(t, err, checkpoint.ErrShards)
	number, err := s.Send(t.Context(), checkpoint.ShardName("p", 1, 2), checkpoint.Command{Name: "parked.retry"})
	check(t, err)
	for i, lease := range leases {
		commands, err := lease.Commands(t.Context())
		check(t, err)
		equal(t, len(commands), i)
	}
	_, err = s.Send(t.Context(), checkpoint.ShardName("p", 1, 3), checkpoint.Command{Name: "parked.retry"})
	wantError(t, err, checkpoint.ErrUnknownProjection)
	check(t, leases[1].Commit(t.Context(), checkpoint.Change{Parking: checkpoint.Parking{Answers: []checkpoint.Answer{{Number: number, Text: "ok"}}}}))
	c, err := s.Command(t.Context(), number)
	check(t, err)
	equal(t, c.Answer, "ok")
}

func testMeet(t *testing.T, db Database) {
	s := db.shards(t)
	divide(t, s, 2)
	a, b := checkpoint.Member{Instance: uuid.New(), Owner: "a"}, checkpoint.Member{Instance: uuid.New(), Owner: "b"}
	meet := func(m checkpoint.Member, ttl time.Duration) checkpoint.Meeting {
		t.Helper()
		meeting, err := s.Meet(t.Context(), "p", m, ttl)
		check(t, err)
		return meeting
	}
	equal(t, meet(a, ttl), checkpoint.Meeting{Members: []checkpoint.Member{a}, Shards: make([]checkpoint.Member, 2)})
	lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: checkpoint.ShardName("p", 1, 2), Owner: "a", TTL: ttl, Instance: a.Instance})
	check(t, err)
	shards := []checkpoint.Member{{}, a}
	equal(t, meet(b, ttl), checkpoint.Meeting{Members: []checkpoint.Member{a, b}, Shards: shards})
	equal(t, meet(a, ttl), checkpoint.Meeting{Members: []checkpoint.Member{a, b}, Shards: shards})
	elsewhere, err := s.Meet(t.Context(), "other", b, ttl)
	check(t, err)
	equal(t, elsewhere, checkpoint.Meeting{Members: []checkpoint.Member{b}})

	check(t, s.Leave(t.Context(), "p", a.Instance))
	check(t, s.Leave(t.Context(), "p", a.Instance))
	check(t, lease.Release(t.Context()))
	equal(t, meet(b, ttl), checkpoint.Meeting{Members: []checkpoint.Member{b}, Shards: make([]checkpoint.Member, 2)})
	equal(t, meet(a, short).Members, []checkpoint.Member{b, a}) // who comes back is the last
	for len(meet(b, ttl).Members) > 1 {                         // until the other's time is over
		select {
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		case <-time.After(short / 5):
		}
	}
	equal(t, meet(a, ttl).Members, []checkpoint.Member{b, a})
}
