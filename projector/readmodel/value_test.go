package readmodel

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	base := func(b checkpoint.Base) checkpoint.Type { return checkpoint.Type{Base: b} }
	list := func(b checkpoint.Base) checkpoint.Type { return checkpoint.Type{Base: b, List: true} }
	id := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	noon := time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.UTC)
	bad := func(s string) any { return errorText(s) }
	for name, tt := range map[string]struct {
		t       checkpoint.Type
		v, want any
	}{
		"nothing":               {base(checkpoint.Int), nil, nil},
		"int":                   {base(checkpoint.Int), 7, int64(7)},
		"int beyond 2^53":       {base(checkpoint.Int), json.Number("9007199254740993"), int64(9007199254740993)},
		"int of a float":        {base(checkpoint.Int), 3.0, int64(3)},
		"int of an exponent":    {base(checkpoint.Int), json.Number("1.5e3"), int64(1500)},
		"int with a fraction":   {base(checkpoint.Int), 3.5, bad("has a fraction")},
		"int too great":         {base(checkpoint.Int), json.Number("9223372036854775808"), bad("beyond the range")},
		"int of a great float":  {base(checkpoint.Int), 1e19, bad("beyond the range")},
		"int of a great uint":   {base(checkpoint.Int), uint64(math.MaxUint64), bad("beyond the range")},
		"int of text":           {base(checkpoint.Int), "7", bad("want int, got text")},
		"float of an int":       {base(checkpoint.Float), int64(7), 7.0},
		"float, not a number":   {base(checkpoint.Float), math.NaN(), bad("not a finite")},
		"float, infinite":       {base(checkpoint.Float), math.Inf(1), bad("not a finite")},
		"float, too great":      {base(checkpoint.Float), json.Number("1e999"), bad("beyond the range")},
		"decimal":               {base(checkpoint.Decimal), json.Number("123456789012345678901234.5600"), "123456789012345678901234.5600"},
		"decimal of a float":    {base(checkpoint.Decimal), 0.1, "0.1"},
		"decimal, plain form":   {base(checkpoint.Decimal), "+007.50", "7.50"},
		"decimal, exponent":     {base(checkpoint.Decimal), "-1.5e-3", "-0.0015"},
		"decimal, zero":         {base(checkpoint.Decimal), "-0.00", "0.00"},
		"decimal of words":      {base(checkpoint.Decimal), "1,5", bad("not a decimal")},
		"decimal, endless":      {base(checkpoint.Decimal), "1e999999999", bad("more than")},
		"bool":                  {base(checkpoint.Bool), true, true},
		"bool of an int":        {base(checkpoint.Bool), 1, bad("want bool, got int")},
		"text":                  {base(checkpoint.Text), "ü", "ü"},
		"text with NUL":         {base(checkpoint.Text), "a\x00", bad("U+0000")},
		"text, not UTF-8":       {base(checkpoint.Text), "\xff", bad("UTF-8")},
		"text of an int":        {base(checkpoint.Text), 1, bad("want text, got int")},
		"text of a uuid":        {base(checkpoint.Text), id, id.String()},
		"time":                  {base(checkpoint.Time), "2024-02-29T13:00:00.123456789+01:00", noon},
		"time of a date":        {base(checkpoint.Time), "2024-02-29", bad("RFC 3339")},
		"time of an int":        {base(checkpoint.Time), 1, bad("want time, got int")},
		"time, far":             {base(checkpoint.Time), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), bad("year 20000")},
		"uuid":                  {base(checkpoint.UUID), id.String(), id},
		"uuid of words":         {base(checkpoint.UUID), "x", bad("not a UUID")},
		"bytes":                 {base(checkpoint.Bytes), "ab", []byte("ab")},
		"json":                  {base(checkpoint.JSON), map[string]any{"b": []any{int64(1), 1.5, nil, true, noon}, "a": "<ü>"}, json.RawMessage(`{"a":"<ü>","b":[1,1.5,null,true,"2024-02-29T12:00:00.123456Z"]}`)},
		"json, canonical":       {base(checkpoint.JSON), json.RawMessage(` { "b" : 1e2, "a":1.50, "b":2 }`), json.RawMessage(`{"a":1.50,"b":2}`)},
		"json, broken":          {base(checkpoint.JSON), json.RawMessage(`{`), bad("not valid JSON")},
		"json, more":            {base(checkpoint.JSON), json.RawMessage(`{} {}`), bad("something follows")},
		"json with NUL":         {base(checkpoint.JSON), json.RawMessage(`{"a":"\u0000"}`), bad("U+0000")},
		"json, not a number":    {base(checkpoint.JSON), []any{math.NaN()}, bad("not a finite")},
		"list":                  {list(checkpoint.Int), []any{1, 2.0}, []any{int64(1), int64(2)}},
		"list of another slice": {list(checkpoint.Text), []string{"a"}, []any{"a"}},
		"list with nothing":     {list(checkpoint.Int), []any{1, nil}, bad("item 1 of the list is null")},
		"list with text":        {list(checkpoint.Int), []any{"a"}, bad("item 0 of the list: want int")},
		"list of text":          {list(checkpoint.Text), "a", bad("want list of text, got text")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Convert(tt.t, tt.v)
			if want, isBad := tt.want.(errorText); isBad {
				if err == nil || !strings.Contains(err.Error(), string(want)) {
					t.Errorf("got %v, %v, want error %q", got, err, want)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Fatalf("error %v (-want +got):\n%s", err, diff)
			}
			again, err := Convert(tt.t, got)
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("not the same when converted again: %v\n%s", err, diff)
			}
			column := checkpoint.Column{Name: "c", Type: tt.t}
			if c, err := column.Canonical(got); err != nil || !equal(c, got) {
				t.Errorf("the store wants %v, %v", c, err)
			}
		})
	}
}

// errorText is part of an error that is wanted.
type errorText string

func TestAdd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, b, want any }{
		{int64(1), int64(-2), int64(-1)},
		{int64(5), int64(0), int64(5)},
		{int64(math.MaxInt64), int64(1), nil},
		{int64(math.MinInt64), int64(-1), nil},
		{int64(math.MaxInt64), int64(math.MinInt64), int64(-1)},
		{0.5, 0.25, 0.75},
		{math.MaxFloat64, math.MaxFloat64, nil},
		{"0.10", "0.2", "0.30"},
		{"99999999999999999999", "1", "100000000000000000000"},
		{"-0.5", "0.5", "0.0"},
	} {
		got, err := Add(tt.a, tt.b)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != (tt.want == nil) {
			t.Errorf("%v + %v = %v, %v, want %v", tt.a, tt.b, got, err, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		base checkpoint.Base
		a, b any // a < b
	}{
		{checkpoint.Int, int64(9), int64(10)},
		{checkpoint.Float, 9.0, 10.0},
		{checkpoint.Decimal, "9.0", "10"},
		{checkpoint.Decimal, "-1.5", "-1.25"},
		{checkpoint.Text, "10", "9"},
		{checkpoint.Time, now, now.Add(1)},
		{checkpoint.UUID, uuid.UUID{1}, uuid.UUID{2}},
	} {
		typ := checkpoint.Type{Base: tt.base}
		if Compare(typ, tt.a, tt.b) >= 0 || Compare(typ, tt.b, tt.a) <= 0 || Compare(typ, tt.a, tt.a) != 0 {
			t.Errorf("%v is not before %v", tt.a, tt.b)
		}
	}
	if Compare(checkpoint.Type{Base: checkpoint.Decimal}, "1.0", "1.00") != 0 {
		t.Error("1.0 is not 1.00")
	}
}

func FuzzConvertJSON(f *testing.F) {
	f.Add(`{"b":[1,2.50,1e3,"\u0041"],"a":{"x":null}}`)
	f.Fuzz(func(t *testing.T, s string) {
		once, err := convertJSON(json.RawMessage(s))
		if err != nil {
			return
		}
		if !json.Valid(once.(json.RawMessage)) {
			t.Fatalf("%q became %q", s, once)
		}
		twice, err := convertJSON(once)
		if err != nil || string(twice.(json.RawMessage)) != string(once.(json.RawMessage)) {
			t.Fatalf("%q, then %q: %v", once, twice, err)
		}
	})
}
