package readmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/photonpump/projector/projector"
	"github.com/photonpump/projector/projector/source"
)

// everything has a column of each kind, and functions that keep what does not survive a database as it is.
type everything struct {
	N       int
	U       uint16
	F       float64
	F32     float32
	B       bool
	S       string
	D       string `db:",decimal"`
	At      time.Time
	ID      uuid.UUID
	Raw     []byte
	JSON    json.RawMessage
	Map     map[string]any
	Struct  struct{ A, B any }
	Addr    netip.Addr
	List    []string
	Times   []time.Time
	Nested  [][]int
	Maybe   *int64
	MaybeAt *time.Time
}

type anyEvent struct {
	Key  int
	N    int64
	S    string
	Tags []string
}

// history is a row as text that tells every difference between what was kept and what was loaded: it is folded into
// itself.
func foldEverything(r *Row[everything], e projector.Event[anyEvent]) error {
	v, b := &r.Value, &e.Body
	seen := fmt.Sprintf("%v|%#v|%v|%v|%v|%v|%v", r.Exists, v.Raw == nil, v.List == nil, v.Map, v.Struct, v.At.Location(), v.Addr)
	if b.N%11 == 0 {
		r.Delete()
		v.S = "forgotten"
		return nil
	}
	v.N += int(b.N)
	v.U = uint16(b.N)
	v.F = v.F*0.5 - float64(b.N)
	v.F32 = float32(v.F) / 3
	v.B = !v.B
	v.S = fmt.Sprint(len(v.S), len(seen), b.S)
	v.D = fmt.Sprintf("+0%d.%d0", b.N*b.N, b.N*b.N%7)
	v.At = time.Unix(b.N, b.N%1000*1_000_003).In(time.FixedZone("x", 3600))
	v.ID = uuid.NewSHA1(v.ID, []byte(seen))
	v.Raw = append(v.Raw[:len(v.Raw)/2], b.S...)
	v.JSON = json.RawMessage(fmt.Sprintf(`{ "z":%d, "a":[1.0,1e2,null], "z":%q, "was":%d}`, b.N, b.S, len(v.JSON)))
	if v.Map == nil {
		v.Map = map[string]any{}
	}
	v.Map[b.S] = b.N                       // an int64 that JSON does not keep
	v.Struct.A, v.Struct.B = b.Tags, v.Map // shares memory
	v.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(b.N)})
	v.List = append(v.List, b.Tags...)
	v.List = v.List[:len(v.List)/2*2%7]
	if b.N%3 == 0 {
		v.List = b.Tags
	}
	v.Times = append(v.Times[:len(v.Times)/2], v.At)
	v.Nested = append(v.Nested[:len(v.Nested)%3], []int{int(b.N)})
	if v.Maybe = &b.N; b.N%2 == 0 {
		v.Maybe, v.MaybeAt = nil, &v.At
	}
	return nil
}

// What is folded must not depend on where a batch ends, what is still in memory, or what had to be done again.
func TestSameRowsWhateverTheBatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var events []source.Event
		for i := range rapid.IntRange(1, 40).Draw(rt, "events") {
			n := rapid.Int64Range(-1000, 1000).Draw(rt, "n")
			tags := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b\"c", "ü", "<&>"}), 0, 4).Draw(rt, "tags")
			events = append(events, event("e", anyEvent{rapid.IntRange(0, 3).Draw(rt, "key"), n, fmt.Sprint("s", i%5), tags}))
		}
		model := func() *Model {
			return Table("all", On("e", func(e projector.Event[anyEvent]) int { return e.Body.Key }, foldEverything))
		}
		one := setup(t, model())
		for _, e := range events {
			one.fold(e)
			one.Rollback() // so that each event finds what the store gives back
		}
		want := one.rows(0)

		b := setup(t, model().CacheRows(rapid.SampledFrom([]int{0, 1, 2, 100}).Draw(rt, "cache")))
		for rest := events; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			if rapid.Bool().Draw(rt, "fails first") {
				bad := append(append([]source.Event{}, rest[:n]...), source.Event{Type: "e", Data: []byte("x")})
				var at *projector.EventError
				if err := b.Fold.Fold(t.Context(), bad); !errors.As(err, &at) || at.Index != n {
					rt.Fatalf("got %v", err)
				}
				b.Rollback()
			}
			b.fold(rest[:n]...)
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, b.rows(0)); diff != "" {
			rt.Fatalf("rows differ from those folded one by one (-want +got):\n%s", diff)
		}
	})
}

// Two rows that are set to the same slice of one event must not write into each other's memory.
func TestRowsShareNoMemory(t *testing.T) {
	t.Parallel()
	type tagged struct {
		Tags []string
		Raw  []byte
	}
	type tags struct{ Add, Set []string }
	b := setup(t, Table("tagged", OnEach("e",
		func(projector.Event[tags]) []string { return []string{"a", "b"} },
		func(_ projector.Event[tags], name string) string { return name },
		func(r *Row[tagged], e projector.Event[tags], name string) error {
			if e.Body.Set != nil {
				r.Value.Tags, r.Value.Raw = e.Body.Set[:1], e.Data[:1]
				return nil
			}
			r.Value.Tags, r.Value.Raw = append(r.Value.Tags, name), append(r.Value.Raw, name...)
			return nil
		})))
	b.fold(event("e", tags{Set: []string{"x", "y"}}), event("e", tags{}))
	want := [][]any{{"a", []any{"x", "a"}, []byte("{a")}, {"b", []any{"x", "b"}, []byte("{b")}}
	if diff := cmp.Diff(want, b.rows(0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
