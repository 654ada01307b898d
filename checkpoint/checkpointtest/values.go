package checkpointtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/photonpump/projector/checkpoint"
)

// everything is a table with a column of every type and of a list of it.
func everything() *checkpoint.Table {
	t := &checkpoint.Table{Name: "everything", Columns: []checkpoint.Column{column("id", checkpoint.Int)}, Key: []string{"id"}}
	for base := checkpoint.Text; base <= checkpoint.JSON; base++ {
		t.Columns = append(t.Columns, column(base.String(), base),
			checkpoint.Column{Name: base.String() + "_list", Type: checkpoint.Type{Base: base, List: true}})
	}
	return t
}

// samples are values with which stores have trouble.
func samples() map[checkpoint.Base][]any {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	berlin := time.FixedZone("CET", 3600)
	return map[checkpoint.Base][]any{
		checkpoint.Text: {
			"", "a", "NULL", "null", "{}", `{"a",b}`, `"quoted" 'single' \back`, "line\nbreak\ttab\r", "007", "1e3", " space ",
			"ä😀\uffff\u2028", "\u0001\u007f", strings.Repeat("long ", 5000),
		},
		checkpoint.Int: {int64(0), int64(-1), int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MaxInt64), int64(math.MinInt64)},
		checkpoint.Float: {
			0.0, 1.0, -1.5, 0.1, 1.0 / 3, 1e300, -1e-300, math.MaxFloat64, math.SmallestNonzeroFloat64, float64(1 << 53), float64(1<<53 + 2), 123456789.123456789,
		},
		checkpoint.Decimal: {
			"0", "-1", "1.50", "0.000000000000000000000000000001", "99999999999999999999999999999999999999.99", "+007.10", "-0.00", "123456789012345678901234567890",
			strings.Repeat("9", 1000) + "." + strings.Repeat("1", 1000),
		},
		checkpoint.Bool: {true, false},
		checkpoint.Time: {
			time.Time{},
			time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC),
			time.Date(2026, 2, 3, 4, 5, 6, 7999, berlin), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
			time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC),
		},
		checkpoint.UUID:  {uuid.Nil, uuid.Max, uuid.MustParse("01234567-89ab-cdef-0123-456789abcdef")},
		checkpoint.Bytes: {[]byte{}, []byte{0}, []byte("text"), []byte{0xff, 0xfe, 0, 1, '\\', '"'}, bytes.Repeat([]byte{1, 2, 3}, 5000)},
		checkpoint.JSON: {
			raw("null"), raw("true"), raw("9007199254740993"), raw("-1.5e10"), raw(`""`), raw(`"a\"b\\u0000 \\ \u00e4 <&>"`), raw(`[]`), raw(`[1, [2, {"a": null}]]`),
			raw(`{"b": 1, "a": {"c": "d"}, "": []}`), raw(` {"a":1.10} `), raw(`123456789012345678901234567890.123456789`),
		},
	}
}

func testTypes(t *testing.T, db Database) {
	table := everything()
	s := db.open(t, table)
	var written [][]any
	for base, values := range samples() {
		for _, v := range values {
			row := make([]any, len(table.Columns))
			row[0] = int64(len(written))
			row[table.Column(base.String())] = v
			row[table.Column(base.String()+"_list")] = []any{v, v}
			written = append(written, row)
		}
		row := make([]any, len(table.Columns)) // all other columns are nil
		row[0] = int64(len(written))
		row[table.Column(base.String()+"_list")] = []any{}
		written = append(written, row)
	}
	roundTrip(t, s, acquire(t, s, "p", ttl), table, written)
}

// roundTrip writes rows and reads them in both ways.
func roundTrip(t *testing.T, s checkpoint.Store, lease checkpoint.Lease, table *checkpoint.Table, written [][]any) {
	t.Helper()
	keys := make([][]any, len(written))
	want := make([][]any, len(written))
	for i, row := range written {
		keys[i] = row[:1]
		want[i] = canonical(t, table, row)
	}
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: lease.Position(), Writes: put(table, written...)}))
	loaded, err := lease.Load(t.Context(), table, keys)
	check(t, err)
	sameRows(t, "loaded", loaded, want)
	sameRows(t, "rows", rows(t, s, table), want)
	check(t, lease.Commit(t.Context(), checkpoint.Change{From: lease.Position(), To: lease.Position(), Writes: put(table, loaded...)}))
	sameRows(t, "written again", rows(t, s, table), want)
}

func canonical(t *testing.T, table *checkpoint.Table, row []any) []any {
	t.Helper()
	c, err := table.CanonicalRow(row, 0)
	check(t, err)
	return c
}

func sameRows(t *testing.T, what string, got, want [][]any) {
	t.Helper()
	sameJSON := cmp.Comparer(func(a, b json.RawMessage) bool { return cmp.Equal(parseJSON(a), parseJSON(b), numbers()) })
	sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })
	if diff := cmp.Diff(want, got, sameJSON, sameTime); diff != "" {
		t.Fatalf("%s: difference (-want +got):\n%.4000s", what, diff)
	}
}

func parseJSON(raw json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	return v
}

// numbers compares JSON numbers by value.
func numbers() cmp.Option {
	return cmp.Comparer(func(a, b json.Number) bool {
		x, okX := new(big.Rat).SetString(a.String())
		y, okY := new(big.Rat).SetString(b.String())
		return okX && okY && x.Cmp(y) == 0
	})
}

func testTypesProperty(t *testing.T, db Database) {
	table := everything()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	rapid.Check(t, func(rt *rapid.T) {
		row := make([]any, len(table.Columns))
		row[0] = int64(1)
		for i, c := range table.Columns[1:] {
			if !rapid.Bool().Draw(rt, "null "+c.Name) {
				row[i+1] = value(c.Type).Draw(rt, c.Name)
			}
		}
		roundTrip(t, s, lease, table, [][]any{row})
	})
}

// value generates values of a type that every store accepts.
func value(t checkpoint.Type) *rapid.Generator[any] {
	if t.List {
		return rapid.Map(rapid.SliceOfN(value(checkpoint.Type{Base: t.Base}), 0, 4), func(list []any) any { return list })
	}
	text := rapid.Map(rapid.String(), func(s string) string {
		return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "0")
	})
	switch t.Base {
	case checkpoint.Text:
		return text.AsAny()
	case checkpoint.Int:
		return rapid.Int64().AsAny()
	case checkpoint.Float:
		return rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }).AsAny()
	case checkpoint.Decimal:
		return rapid.StringMatching(`[-+]?[0-9]{1,40}(\.[0-9]{1,40})?`).AsAny()
	case checkpoint.Bool:
		return rapid.Bool().AsAny()
	case checkpoint.Time:
		first, last := time.Time{}.Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
		return rapid.Custom(func(rt *rapid.T) any {
			return time.Unix(rapid.Int64Range(first, last).Draw(rt, "s"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).UTC()
		})
	case checkpoint.UUID:
		return rapid.Custom(func(rt *rapid.T) any { return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id")) })
	case checkpoint.Bytes:
		return rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) any { return append([]byte{}, b...) })
	}
	return rapid.Custom(func(rt *rapid.T) any {
		raw, err := json.Marshal(map[string]any{text.Draw(rt, "member"): []any{rapid.Int64().Draw(rt, "n"), text.Draw(rt, "s"), nil}})
		if err != nil {
			rt.Fatal(err)
		}
		return json.RawMessage(raw)
	})
}

// testRefusedValues checks that every store refuses the same values, and says where they are.
func testRefusedValues(t *testing.T, db Database) {
	table := everything()
	s := db.open(t, table)
	lease := acquire(t, s, "p", ttl)
	good := make([]any, len(table.Columns))
	good[0] = int64(1)
	for base, values := range map[checkpoint.Base][]any{
		checkpoint.Text:    {"nul \x00", "bad \xff", []byte("bytes"), 1},
		checkpoint.Int:     {1, 1.0, "1", uint64(1)},
		checkpoint.Float:   {math.NaN(), math.Inf(1), math.Inf(-1), int64(1), float32(1)},
		checkpoint.Decimal: {"", "-", ".5", "5.", "1e3", "NaN", "Infinity", " 1", "1 ", "1,5", "0x10", "1_000", 1.5, strings.Repeat("1", checkpoint.MaxDecimalInteger+1), "0." + strings.Repeat("1", checkpoint.MaxDecimalFraction+1)},
		checkpoint.Bool:    {1, "true"},
		checkpoint.Time:    {"2026-01-01", int64(1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)},
		checkpoint.UUID:    {"01234567-89ab-cdef-0123-456789abcdef", [16]byte{}},
		checkpoint.Bytes:   {"text", []int{1}},
		checkpoint.JSON:    {json.RawMessage(``), json.RawMessage(`{`), json.RawMessage(`"\u0000"`), json.RawMessage(`{"a\u0000":1}`), json.RawMessage(`"\\\u0000"`), json.RawMessage("\"\xff\""), "{}", map[string]any{}},
	} {
		for _, v := range values {
			name := base.String()
			for column, bad := range map[string]any{name: v, name + "_list": []any{v}} {
				row := append([]any(nil), good...)
				row[table.Column(column)] = bad
				err := lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, good, row)})
				var refused *checkpoint.RowError
				if !errors.As(err, &refused) || refused.Table != table.Name || refused.Column != column || refused.Row != 1 {
					t.Fatalf("column %s, value %.50v: got error %v, want a RowError for it", column, bad, err)
				}
				wantClass(t, s, err, checkpoint.ClassData)
			}
		}
	}
	for _, row := range [][]any{good[1:], append(append([]any(nil), good...), nil), append([]any{nil}, good[1:]...)} {
		err := lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, row)})
		wantClass(t, s, err, checkpoint.ClassData)
	}
	row := append([]any(nil), good...)
	row[table.Column("int_list")] = []any{int64(1), nil}
	wantClass(t, s, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, row)}), checkpoint.ClassData)
	row[table.Column("int_list")] = int64(1)
	wantClass(t, s, lease.Commit(t.Context(), checkpoint.Change{To: checkpoint.AtNumber(1), Writes: put(table, row)}), checkpoint.ClassData)
	equal(t, len(rows(t, s, table)), 0)
	equal(t, status(t, s, "p").Position, checkpoint.Position{})
}
