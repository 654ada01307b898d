package checkpointtest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// parking opens a store that must be able to park, and a lease in it.
func (db Database) parking(t *testing.T, tables ...*checkpoint.Table) (checkpoint.ParkingStore, checkpoint.ParkingLease) {
	t.Helper()
	s, ok := db.open(t, tables...).(checkpoint.ParkingStore)
	if !ok {
		t.Fatal("the store is no ParkingStore")
	}
	return s, parkingLease(t, acquire(t, s, "p", ttl))
}

func parkingLease(t *testing.T, lease checkpoint.Lease) checkpoint.ParkingLease {
	t.Helper()
	p, ok := lease.(checkpoint.ParkingLease)
	if !ok {
		t.Fatal("the lease is no ParkingLease")
	}
	return p
}

// failed makes a parked event with something in every field.
func failed(key string, n int64) checkpoint.Parked {
	return checkpoint.Parked{
		Key: key, Position: checkpoint.AtLog(n, n), ID: ref(n).ID, Type: "pony.jumped", Stream: "pony-" + key, EventNo: n,
		Data: []byte(`{"name":"\u0000"}`), Metadata: []byte{0, 0xff}, JSON: true, Created: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Class: "handler", Error: "no", Attempts: 5, Tried: time.Date(2026, 1, 2, 3, 4, 6, 7000, time.UTC),
		FirstTried: time.Date(2026, 1, 2, 3, 4, 5, 8000, time.UTC),
	}
}

func parked(t *testing.T, s checkpoint.ParkingStore, key *string, after int64, limit int) []checkpoint.Parked {
	t.Helper()
	list, err := s.Parked(t.Context(), "p", key, after, limit)
	check(t, err)
	return list
}

// sameParked compares parked events but for what the store gives.
func sameParked(t *testing.T, got []checkpoint.Parked, want ...checkpoint.Parked) {
	t.Helper()
	positions := cmp.Comparer(func(a, b checkpoint.Position) bool { return a == b })
	if diff := cmp.Diff(want, got, positions, cmpopts.IgnoreFields(checkpoint.Parked{}, "Number", "At"), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("parked events differ (-want +got):\n%s", diff)
	}
	for i := range got {
		if got[i].At.IsZero() || i > 0 && got[i].Number <= got[i-1].Number {
			t.Fatalf("parked event %d has number %d, parked at %v", i, got[i].Number, got[i].At)
		}
	}
}

func testPark(t *testing.T, db Database) {
	table := ponies()
	s, lease := db.parking(t, table)
	linked := failed("a\x00\xff\\00", 2)
	linked.Type, linked.Stream = "\xfe", "\x00"
	linked.Link = &checkpoint.ParkedLink{ID: uuid.Max, Stream: "$ce-\xff", Number: 7, Unresolved: true}
	linked.Class, linked.Error = "decode", "\x00 bytes \xff in an error"
	bare := checkpoint.Parked{Key: "", Position: checkpoint.AtNumber(3)}
	other := failed("b", 4)
	check(t, lease.Commit(t.Context(), checkpoint.Change{
		To: checkpoint.AtNumber(4), Handled: 3, Writes: put(table, []any{"x", int64(1), nil}),
		Parking: checkpoint.Parking{Park: []checkpoint.Parked{linked, bare, other}, Skipped: 2},
	}))
	linked.Error = "\uFFFD bytes \uFFFD in an error"
	again, ok := db.Open(t).(checkpoint.ParkingStore)
	if !ok {
		t.Fatal("the store is no ParkingStore")
	}
	all := parked(t, again, nil, 0, 0)
	if all[0].Error == "\x00 bytes \xff in an error" {
		linked.Error = all[0].Error // a store may keep more
	}
	sameParked(t, all, linked, bare, other)
	sameParked(t, parked(t, s, &linked.Key, 0, 0), linked)
	sameParked(t, parked(t, s, new(string), 0, 0), bare)
	sameParked(t, parked(t, s, nil, all[0].Number, 1), bare)
	none := "none"
	sameParked(t, parked(t, s, &none, 0, 0))
	keys, err := lease.ParkedKeys(t.Context())
	check(t, err)
	equal(t, keys, map[string]int64{linked.Key: 1, "": 1, "b": 1})
	for class, want := range map[string]int64{"decode": 1, "handler": 1, "": 1, "crash": 0} {
		n, err := lease.CountParked(t.Context(), class)
		check(t, err)
		equal(t, n, want)
	}
	mine, err := lease.Parked(t.Context(), nil, 0, 2)
	check(t, err)
	sameParked(t, mine, linked, bare)
	st := status(t, s, "p")
	equal(t, st.Parked, int64(3))
	equal(t, st.Skipped, int64(2))

	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(4), To: checkpoint.AtNumber(4), Parking: checkpoint.Parking{
		Unpark: []int64{all[1].Number, all[0].Number, 999999},
		Retries: []checkpoint.Retry{{
			Number: all[2].Number, Class: "infrastructure", Error: "down", Attempts: 6, Tried: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		}},
	}}))
	other.Class, other.Error, other.Attempts, other.Tried = "infrastructure", "down", 6, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	sameParked(t, parked(t, s, nil, 0, 0), other)
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: checkpoint.AtNumber(4), To: checkpoint.AtNumber(4), Parking: checkpoint.Parking{
		Unpark: []int64{all[2].Number}, Park: []checkpoint.Parked{failed("c", 5)},
	}}))
	if left := parked(t, s, nil, 0, 0); len(left) != 1 || left[0].Number <= all[2].Number {
		t.Fatalf("parked are %+v, want one with a number beyond %d", left, all[2].Number)
	}
	_, err = s.Parked(t.Context(), "unknown", nil, 0, 0)
	wantError(t, err, checkpoint.ErrUnknownProjection)
}

// testParkIsAtomic checks that parked events, answers and retries are part of the commit.
func testParkIsAtomic(t *testing.T, db Database) {
	table := ponies()
	s, lease := db.parking(t, table)
	check(t, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Parking: checkpoint.Parking{Park: []checkpoint.Parked{failed("a", 1)}}}))
	number, err := s.Send(t.Context(), "p", checkpoint.Command{Name: "parked.retry"})
	check(t, err)
	first := parked(t, s, nil, 0, 0)[0].Number
	change := checkpoint.Change{
		From: checkpoint.AtNumber(1), To: checkpoint.AtNumber(2), Parking: checkpoint.Parking{
			Park: []checkpoint.Parked{failed("b", 2)}, Unpark: []int64{first}, Skipped: 1,
			Answers: []checkpoint.Answer{{Number: number, Text: "done"}},
		},
	}
	unchanged := func() {
		t.Helper()
		sameParked(t, parked(t, s, nil, 0, 0), failed("a", 1))
		equal(t, status(t, s, "p").Skipped, int64(0))
		c, err := s.Command(t.Context(), number)
		check(t, err)
		equal(t, c.Done.IsZero(), true)
	}
	bad := change
	bad.From = checkpoint.AtNumber(7)
	wantError(t, lease.Commit(t.Context(), bad), checkpoint.ErrFenced)
	unchanged()
	bad = change
	bad.Writes = put(table, []any{"x", "text", nil})
	wantClass(t, s, lease.Commit(t.Context(), bad), checkpoint.ClassData)
	unchanged()
	tx, err := lease.Begin(t.Context())
	check(t, err)
	check(t, tx.Commit(t.Context(), change))
	sameParked(t, parked(t, s, nil, 0, 0), failed("b", 2))
	c, err := s.Command(t.Context(), number)
	check(t, err)
	equal(t, c.Answer, "done")
	check(t, lease.Release(t.Context()))
	check(t, s.Reset(t.Context(), "p", table))
	sameParked(t, parked(t, s, nil, 0, 0))
	equal(t, status(t, s, "p").Parked+status(t, s, "p").Skipped, int64(0))
}

func testCommands(t *testing.T, db Database) {
	s, lease := db.parking(t)
	other := parkingLease(t, acquire(t, s, "q", ttl))
	_, err := s.Send(t.Context(), "unknown", checkpoint.Command{Name: "x"})
	wantError(t, err, checkpoint.ErrUnknownProjection)
	_, err = s.Command(t.Context(), 999999)
	wantError(t, err, checkpoint.ErrUnknownCommand)
	first, err := s.Send(t.Context(), "p", checkpoint.Command{Name: "parked.retry", Args: []byte(`{"key":"a"}`), By: "me"})
	check(t, err)
	second, err := s.Send(t.Context(), "p", checkpoint.Command{Name: "parked.drop"})
	check(t, err)
	_, err = s.Send(t.Context(), "q", checkpoint.Command{Name: "other"})
	check(t, err)
	waiting, err := lease.Commands(t.Context())
	check(t, err)
	if len(waiting) != 2 || second <= first || waiting[0].Sent.IsZero() {
		t.Fatalf("waiting are %+v", waiting)
	}
	waiting[0].Sent, waiting[1].Sent = time.Time{}, time.Time{}
	if diff := cmp.Diff([]checkpoint.Command{
		{Number: first, Name: "parked.retry", Args: []byte(`{"key":"a"}`), By: "me"}, {Number: second, Name: "parked.drop"},
	}, waiting, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
	answer := func(l checkpoint.Lease, answers ...checkpoint.Answer) {
		t.Helper()
		check(t, l.Commit(t.Context(), checkpoint.Change{Parking: checkpoint.Parking{Answers: answers}}))
	}
	answer(other, checkpoint.Answer{Number: first, Text: "not mine"})
	answer(lease, checkpoint.Answer{Number: first, Text: "3 events", Refused: true}, checkpoint.Answer{Number: 999999})
	answer(lease, checkpoint.Answer{Number: first, Text: "twice"})
	c, err := s.Command(t.Context(), first)
	check(t, err)
	equal(t, c.Answer, "3 events")
	equal(t, c.Refused, true)
	if c.Done.Before(c.Sent) {
		t.Fatalf("sent at %v and done at %v", c.Sent, c.Done)
	}
	waiting, err = lease.Commands(t.Context())
	check(t, err)
	if len(waiting) != 1 || waiting[0].Number != second {
		t.Fatalf("waiting are %+v", waiting)
	}
}

func testDeaths(t *testing.T, db Database) {
	s := db.open(t)
	at := checkpoint.Position{}
	claim := func(instance byte, ttl time.Duration) checkpoint.ParkingLease {
		t.Helper()
		for {
			lease, err := s.Acquire(t.Context(), checkpoint.Claim{Name: "p", Owner: "o", TTL: ttl, Instance: uuid.UUID{instance}})
			if err == nil {
				return parkingLease(t, lease)
			}
			wantError(t, err, checkpoint.ErrHeld)
		}
	}
	die := func(instance byte, deaths int, marker checkpoint.Marker) checkpoint.ParkingLease {
		t.Helper()
		lease := claim(instance, checkpoint.MinTTL)
		equal(t, lease.Deaths(), deaths)
		equal(t, lease.Marker(), marker)
		return lease
	}
	one := checkpoint.Marker{Event: uuid.UUID{1}}
	die(1, 0, checkpoint.Marker{})
	die(2, 1, checkpoint.Marker{})
	lease := die(3, 2, checkpoint.Marker{})
	check(t, lease.Mark(t.Context(), one))
	lease = die(3, 2, checkpoint.Marker{}) // the same process: it has lost its lease, not its life
	one.Deaths = 1
	check(t, lease.Mark(t.Context(), one))
	lease = die(4, 3, one)
	check(t, lease.Mark(t.Context(), one))
	die(5, 4, one)
	die(5, 4, checkpoint.Marker{}) // acquiring has removed it
	lease = die(6, 5, checkpoint.Marker{})
	check(t, lease.Mark(t.Context(), one))
	check(t, lease.Commit(t.Context(), checkpoint.Change{})) // removes the mark, but has not moved
	lease = die(7, 6, checkpoint.Marker{})
	check(t, lease.Mark(t.Context(), one))
	check(t, lease.Mark(t.Context(), checkpoint.Marker{}))
	lease = die(8, 7, checkpoint.Marker{})
	check(t, lease.Mark(t.Context(), one))
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: at, To: checkpoint.AtNumber(1)}))
	die(9, 1, checkpoint.Marker{})
	lease = claim(11, ttl)
	equal(t, lease.Deaths(), 2)
	check(t, lease.Mark(t.Context(), one))
	check(t, lease.Release(t.Context()))
	wantError(t, lease.Mark(t.Context(), one), checkpoint.ErrFenced)
	die(10, 0, checkpoint.Marker{})
}
