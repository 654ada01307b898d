package checkpoint_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/photonpump/projector/checkpoint"
)

func TestPositionText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]checkpoint.Position{
		"start":     {},
		"0":         checkpoint.AtNumber(0),
		"42":        checkpoint.AtNumber(42),
		"1234/1200": checkpoint.AtLog(1234, 1200),
		"9223372036854775807/9223372036854775807": checkpoint.AtLog(math.MaxInt64, math.MaxInt64),
		`{"a"=4,"b"=7}`:                 checkpoint.AtNumbers(map[string]int64{"b": 7, "a": 4}),
		`{"a,\"b\"=\\"=4,"\xff\x00"=0}`: checkpoint.AtNumbers(map[string]int64{`a,"b"=\`: 4, "\xff\x00": 0}),
	} {
		got, err := checkpoint.ParsePosition(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
		if got := want.String(); got != text {
			t.Errorf("the text of %s is %s", text, got)
		}
	}
	for _, text := range []string{
		"", " ", "Start", "start ", "-1", "+1", "1.0", "01", "0x1", "1_0", "9223372036854775808", "/", "1/", "/1", "1/-1", "1/2/3", "1/02",
		"{", "}", "{}", "{a=1}", `{"a"}`, `{"a"=}`, `{"a"=1`, `{"a"=1,}`, `{"a"=1,,"b"=1}`, `{"a"=-1}`, `{"a"=1 }`, `{"b"=1,"a"=1}`,
		`{"a"=1,"a"=2}`, "{`a`=1}", `{'a'=1}`, `{"\x61"=1}`,
	} {
		if got, err := checkpoint.ParsePosition(text); !errors.Is(err, checkpoint.ErrPosition) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is %v, %v; want an ErrPosition that shows it", text, got, err)
		}
	}
}

func TestAtNumberOf(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"a", `a,"b"=\\`, "\xff\x00", "pony_stream"} {
		if got, want := checkpoint.AtNumberOf(stream, 42), checkpoint.AtNumbers(map[string]int64{stream: 42}); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestSameKind(t *testing.T) {
	t.Parallel()
	kinds := []checkpoint.Position{checkpoint.AtNumber(1), checkpoint.AtLog(1, 1), checkpoint.AtNumberOf("a", 1)}
	for i, p := range kinds {
		for j, q := range kinds {
			if p.SameKind(q) != (i == j) {
				t.Errorf("%v and %v", p, q)
			}
		}
		if !p.SameKind(checkpoint.Position{}) || !(checkpoint.Position{}).SameKind(p) {
			t.Errorf("%v and the start", p)
		}
	}
}

func TestPositionCompare(t *testing.T) {
	t.Parallel()
	vector := func(a, b int64) checkpoint.Position {
		return checkpoint.AtNumbers(map[string]int64{"a": a, "b": b})
	}
	type order struct {
		Order int
		OK    bool
	}
	tests := []struct {
		p, q checkpoint.Position
		want order
	}{
		{checkpoint.Position{}, checkpoint.Position{}, order{0, true}},
		{checkpoint.Position{}, checkpoint.AtNumber(0), order{-1, true}},
		{checkpoint.Position{}, vector(0, 0), order{-1, true}},
		{checkpoint.AtNumber(3), checkpoint.AtNumber(3), order{0, true}},
		{checkpoint.AtNumber(3), checkpoint.AtNumber(4), order{-1, true}},
		{checkpoint.AtLog(3, 9), checkpoint.AtLog(4, 1), order{-1, true}},
		{checkpoint.AtLog(4, 1), checkpoint.AtLog(4, 2), order{-1, true}},
		{checkpoint.AtNumber(3), checkpoint.AtLog(3, 3), order{0, false}},
		{checkpoint.AtNumber(3), vector(3, 3), order{0, false}},
		{vector(1, 2), vector(1, 3), order{-1, true}},
		{vector(1, 2), vector(2, 1), order{0, false}},
		{checkpoint.AtNumbers(map[string]int64{"a": 1}), vector(1, 0), order{-1, true}},
		{checkpoint.AtNumbers(map[string]int64{"a": 2}), vector(1, 0), order{0, false}},
	}
	for _, test := range tests {
		var got, back order
		got.Order, got.OK = test.p.Compare(test.q)
		back.Order, back.OK = test.q.Compare(test.p)
		if got != test.want || back.OK != test.want.OK || back.Order != -test.want.Order {
			t.Errorf("%v and %v: %v, the other way round %v, want %v", test.p, test.q, got, back, test.want)
		}
	}
}

func TestEventsUntil(t *testing.T) {
	t.Parallel()
	vector := func(a, b int64) checkpoint.Position { return checkpoint.AtNumbers(map[string]int64{"a": a, "b": b}) }
	for _, test := range []struct {
		p, head checkpoint.Position
		want    int64
	}{
		{checkpoint.Position{}, checkpoint.Position{}, 0},
		{checkpoint.Position{}, checkpoint.AtNumber(0), 1},
		{checkpoint.AtNumber(3), checkpoint.AtNumber(3), 0},
		{checkpoint.AtNumber(3), checkpoint.AtNumber(10), 7},
		{checkpoint.AtNumber(10), checkpoint.AtNumber(3), 0},
		{checkpoint.AtNumber(10), checkpoint.Position{}, -1}, // the log is empty, or not known
		{checkpoint.Position{}, vector(0, 4), 6},
		{vector(0, 2), vector(3, 4), 5},
		{checkpoint.AtNumbers(map[string]int64{"a": 1}), vector(1, 1), 2},
		{checkpoint.AtLog(1, 1), checkpoint.AtLog(1, 1), 0},
		{checkpoint.AtLog(1, 1), checkpoint.AtLog(9, 9), -1},
		{checkpoint.Position{}, checkpoint.AtLog(9, 9), -1},
		{checkpoint.AtLog(1, 1), checkpoint.AtNumber(9), -1},
		{checkpoint.AtNumber(1), vector(1, 1), -1},
	} {
		if got := test.p.EventsUntil(test.head); got != test.want {
			t.Errorf("from %v until %v: %d, want %d", test.p, test.head, got, test.want)
		}
	}
}

func TestPositionParts(t *testing.T) {
	t.Parallel()
	numbers := map[string]int64{"a": 1, "b": 2}
	p := checkpoint.AtNumbers(numbers)
	numbers["a"] = 9
	got, ok := p.Numbers()
	if diff := cmp.Diff(map[string]int64{"a": 1, "b": 2}, got); !ok || diff != "" {
		t.Fatal(diff)
	}
	got["a"] = 9
	if got, _ := p.Numbers(); got["a"] != 1 {
		t.Fatal("the map belongs to the position")
	}
	if n, ok := checkpoint.AtNumber(7).Number(); n != 7 || !ok {
		t.Fatal(n, ok)
	}
	if c, p, ok := checkpoint.AtLog(7, 6).Log(); c != 7 || p != 6 || !ok {
		t.Fatal(c, p, ok)
	}
	for _, p := range []checkpoint.Position{{}, checkpoint.AtNumber(7), checkpoint.AtLog(7, 6), p} {
		_, number := p.Number()
		_, _, log := p.Log()
		_, vector := p.Numbers()
		kinds := 0
		for _, is := range []bool{number, log, vector, p.IsStart()} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Fatalf("%v is of %d kinds", p, kinds)
		}
	}
	if empty := checkpoint.AtNumbers(nil); !empty.IsStart() {
		t.Fatal(empty)
	}
}

func TestVectorsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := checkpoint.AtNumbers(rapid.MapOf(rapid.OneOf(rapid.String(), rapid.Just("\xff\x00\"")), rapid.Int64Min(0)).Draw(t, "numbers"))
		got, err := checkpoint.ParsePosition(p.String())
		if err != nil || got != p {
			t.Fatalf("%v came back as %v, %v", p, got, err)
		}
	})
}

// FuzzParsePosition checks that whatever can be read has one text, since stores compare positions as text.
func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"start", "0", "-1", "01", "1/2", `{"a"=1,"b"=2}`, `{"a"=1,"a"=1}`, "{}", `{"\x00"=1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := checkpoint.ParsePosition(text)
		if err != nil {
			if !errors.Is(err, checkpoint.ErrPosition) {
				t.Fatalf("%q: %v is no ErrPosition", text, err)
			}
			return
		}
		if p.String() != text {
			t.Fatalf("%q is read as %s", text, p)
		}
		if order, ok := p.Compare(p); order != 0 || !ok {
			t.Fatalf("%v is not equal to itself", p)
		}
	})
}
