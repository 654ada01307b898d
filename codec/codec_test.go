package codec_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"

	"github.com/photonpump/projector/codec"
)

type order struct {
	ID    int64          `json:"id"`
	Total json.Number    `json:"total"`
	Extra map[string]any `json:"extra"`
}

func TestJSONKeepsNumbersExact(t *testing.T) {
	t.Parallel()
	const data = `{"id":9007199254740993,"total":0.1000000000000000055511151231257827,"extra":{"n":12345678901234567890,"f":1e400}}`
	c := codec.JSON()
	var o order
	if err := c.Decode([]byte(data), &o); err != nil {
		t.Fatal(err)
	}
	want := order{9007199254740993, "0.1000000000000000055511151231257827", map[string]any{"n": json.Number("12345678901234567890"), "f": json.Number("1e400")}}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
	back, err := c.Encode([]byte("x"), o)
	if err != nil || !strings.HasPrefix(string(back), `x{"id":9007199254740993,`) {
		t.Fatalf("%s, %v", back, err)
	}
	var again order
	if err := c.Decode(back[1:], &again); err != nil || cmp.Diff(o, again) != "" {
		t.Errorf("round trip: %+v, %v", again, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	var untyped any
	var typed order
	for _, data := range []string{"", "  ", "{", "{} {}", "1 2", "\x00", `{"id":"one"}`} {
		for _, v := range []any{&untyped, &typed} {
			if v == &untyped && strings.Contains(data, "one") {
				continue
			}
			if err := codec.JSON().Decode([]byte(data), v); err == nil {
				t.Errorf("%q into %T: no error", data, v)
			}
		}
	}
	if _, err := codec.JSON().Encode(nil, make(chan int)); err == nil {
		t.Error("encoded a channel")
	}
}

func TestJSONDoesNotEscape(t *testing.T) {
	t.Parallel()
	got, err := codec.JSON().Encode(nil, "<a> & b")
	if err != nil || string(got) != `"<a> & b"` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRawRoundTripsAndCopies(t *testing.T) {
	t.Parallel()
	type blob []byte
	check := func(data []byte) bool {
		encoded, err := codec.Raw().Encode(nil, data)
		if err != nil {
			return false
		}
		var back []byte
		var named blob
		if codec.Raw().Decode(encoded, &back) != nil || codec.Raw().Decode(encoded, &named) != nil {
			return false
		}
		for i := range encoded {
			encoded[i]++
		}
		return string(back) == string(data) && string(named) == string(data)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	var s string
	if err := codec.Raw().Decode(nil, &s); err == nil {
		t.Error("decoded into a string")
	}
	if err := codec.Raw().Decode(nil, []byte(nil)); err == nil {
		t.Error("decoded into a value")
	}
	if _, err := codec.Raw().Encode(nil, 1); err == nil {
		t.Error("encoded an int")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	type name string
	var s string
	var n name
	var addr netip.Addr
	var big big.Int
	for _, tc := range []struct {
		data string
		v    any
		got  func() string
	}{
		{"žluťoučký", &s, func() string { return s }},
		{"pony", &n, func() string { return string(n) }},
		{"127.0.0.1", &addr, func() string { return addr.String() }},
		{"123456789012345678901234567890", &big, func() string { return big.String() }},
	} {
		if err := codec.Text().Decode([]byte(tc.data), tc.v); err != nil || tc.got() != tc.data {
			t.Errorf("%T: %q, %v", tc.v, tc.got(), err)
		}
		if back, err := codec.Text().Encode(nil, tc.v); err != nil || string(back) != tc.data {
			t.Errorf("%T: %q, %v", tc.v, back, err)
		}
	}
	if err := codec.Text().Decode([]byte("\xff"), &s); err == nil {
		t.Error("decoded what is not UTF-8")
	}
	if _, err := codec.Text().Encode(nil, "\xff"); err == nil {
		t.Error("encoded what is not UTF-8")
	}
	if err := codec.Text().Decode(nil, new(int)); err == nil {
		t.Error("decoded into an int")
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := codec.NewRegistry(shout{codec.Text()})
	if c, err := r.Codec("shout"); err != nil || c.Name() != "shout" {
		t.Errorf("%v, %v", c, err)
	}
	_, err := r.Codec("yaml")
	if !errors.Is(err, codec.ErrUnknown) || !strings.Contains(err.Error(), `"yaml"`) || !strings.Contains(err.Error(), "shout") {
		t.Errorf("%v", err)
	}
}

type shout struct{ codec.Codec }

func (shout) Name() string { return "shout" }

func BenchmarkJSONDecode(b *testing.B) {
	data := []byte(`{"id":42,"total":"12.50","name":"Applejack","height_m":0.6,"tags":["a","b"]}`)
	type typed struct {
		ID     int64    `json:"id"`
		Name   string   `json:"name"`
		Height float64  `json:"height_m"`
		Tags   []string `json:"tags"`
	}
	c := codec.JSON()
	b.Run("typed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v typed
			if err := c.Decode(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("untyped", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v map[string]any
			if err := c.Decode(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
