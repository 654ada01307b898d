package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of values, the same in every store. They are those of the database that can hold least.
const (
	MaxDecimalInteger  = 131072 // digits before the decimal point
	MaxDecimalFraction = 16383  // digits after it
	MinYear            = 1      // of a Time
	MaxYear            = 9999
)

// Canonical returns v as a row has it after it was written and read again, or an error that says why the column cannot
// hold it. Every store refuses the same values:
//
//   - text that is not UTF-8, or has a NUL character in it (Postgres can store neither); so too inside JSON, where the
//     NUL is written \u0000
//   - NaN and the infinities (SQLite stores NaN as NULL, and JSON knows neither)
//   - JSON that is not valid
//   - decimals in any other form than digits with an optional sign and fraction, or beyond [MaxDecimalInteger] and
//     [MaxDecimalFraction]
//   - times before [MinYear] or after [MaxYear]
//   - nil in a column that is NOT NULL, or inside a list
//
// Decimals lose their leading zeros and plus sign and keep the zeros of their fraction; times are cut to microseconds
// and are UTC. JSON is kept as a value: white space, the order of members, repeated members and the notation of numbers
// may differ when it is read again.
func (c *Column) Canonical(v any) (any, error) {
	if v == nil {
		if c.NotNull {
			return nil, errors.New("must not be null")
		}
		return nil, nil
	}
	if !c.Type.List {
		return c.Type.Base.canonical(v)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("holds []any for a %v, not %T", c.Type, v)
	}
	return canonicalList(c.Type.Base, list)
}

func canonicalList(base Base, list []any) (any, error) {
	var changed []any
	for i, element := range list {
		if element == nil {
			return nil, fmt.Errorf("element %d must not be null", i)
		}
		canonical, err := base.canonical(element)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if base.mayChange() {
			if changed == nil {
				changed = make([]any, len(list))
			}
			changed[i] = canonical
		}
	}
	if changed != nil {
		return changed, nil
	}
	return list, nil
}

// mayChange reports whether the canonical value can differ from the one given.
func (b Base) mayChange() bool { return b == Decimal || b == Time }

func (b Base) canonical(v any) (any, error) {
	var ok bool
	switch b {
	case Text:
		var s string
		if s, ok = v.(string); ok {
			return v, checkText(s)
		}
	case Int:
		_, ok = v.(int64)
	case Float:
		var f float64
		if f, ok = v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, fmt.Errorf("%v is not a number that every database can store", f)
		}
	case Decimal:
		var s string
		if s, ok = v.(string); ok {
			return canonicalDecimal(v, s)
		}
	case Bool:
		_, ok = v.(bool)
	case Time:
		var t time.Time
		if t, ok = v.(time.Time); ok {
			return canonicalTime(v, t)
		}
	case UUID:
		_, ok = v.(uuid.UUID)
	case Bytes:
		_, ok = v.([]byte)
	case JSON:
		var raw json.RawMessage
		if raw, ok = v.(json.RawMessage); ok {
			return v, checkJSON(raw)
		}
	}
	if !ok {
		return nil, fmt.Errorf("cannot hold %T as %v", v, b)
	}
	return v, nil
}

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return errors.New("has a NUL character (\\u0000), which text cannot hold")
	}
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	return nil
}

func checkJSON(raw json.RawMessage) error {
	if !json.Valid(raw) {
		return errors.New("is not valid JSON")
	}
	if !utf8.Valid(raw) {
		return errors.New("is not valid UTF-8")
	}
	for rest := []byte(raw); ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return nil
		}
		// A backslash occurs only in strings, and something follows it.
		if bytes.HasPrefix(rest[i:], []byte(`\u0000`)) {
			return errors.New("has a NUL character (\\u0000), which text cannot hold")
		}
		rest = rest[i+2:]
	}
}

func canonicalTime(v any, t time.Time) (any, error) {
	cut := t.UTC().Truncate(time.Microsecond)
	if year := cut.Year(); year < MinYear || year > MaxYear {
		return nil, fmt.Errorf("year %d is not between %d and %d", year, MinYear, MaxYear)
	}
	if cut == t {
		return v, nil
	}
	return cut, nil
}

func canonicalDecimal(v any, s string) (any, error) {
	digits, negative := s, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, digits = s[0] == '-', s[1:]
	}
	integer, fraction, point := strings.Cut(digits, ".")
	if !isDigits(integer) || point && !isDigits(fraction) {
		return nil, fmt.Errorf("%.40q is not a decimal: want digits with an optional sign and fraction", s)
	}
	for len(integer) > 1 && integer[0] == '0' {
		integer = integer[1:]
	}
	if len(integer) > MaxDecimalInteger || len(fraction) > MaxDecimalFraction {
		return nil, fmt.Errorf("decimal has %d digits before and %d after the point, the limits are %d and %d",
			len(integer), len(fraction), MaxDecimalInteger, MaxDecimalFraction)
	}
	if negative && strings.Trim(integer+fraction, "0") == "" {
		negative = false
	}
	canonical := integer
	if point {
		canonical += "." + fraction
	}
	if negative {
		canonical = "-" + canonical
	}
	if canonical == s {
		return v, nil
	}
	return canonical, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// CanonicalRow returns a row as it is after it was written and read again; see [Column.Canonical]. It is row itself if
// nothing changes. index is for the error, a *[RowError].
func (t *Table) CanonicalRow(row []any, index int) ([]any, error) {
	if len(row) != len(t.Columns) {
		return nil, &RowError{Table: t.Name, Row: index, Err: fmt.Errorf("has %d values for %d columns", len(row), len(t.Columns))}
	}
	canonical := row
	for i := range row {
		v, err := t.Columns[i].Canonical(row[i])
		if err == nil && v == nil && t.inKey(t.Columns[i].Name) {
			err = errors.New("must not be null: it is part of the primary key")
		}
		if err != nil {
			return nil, &RowError{Table: t.Name, Column: t.Columns[i].Name, Row: index, Err: err}
		}
		if !t.Columns[i].Type.Base.mayChange() {
			continue
		}
		if &canonical[0] == &row[0] {
			canonical = append([]any(nil), row...)
		}
		canonical[i] = v
	}
	return canonical, nil
}

// CanonicalKey is [Table.CanonicalRow] for the values of a key, in the order of Table.Key.
func (t *Table) CanonicalKey(key []any, index int) ([]any, error) {
	if len(key) != len(t.Key) {
		return nil, &RowError{Table: t.Name, Row: index, Err: fmt.Errorf("key has %d values for %d columns", len(key), len(t.Key))}
	}
	canonical := key
	for i, name := range t.Key {
		column := t.Columns[t.Column(name)]
		column.NotNull = true
		v, err := column.Canonical(key[i])
		if err != nil {
			return nil, &RowError{Table: t.Name, Column: name, Row: index, Err: err}
		}
		if !column.Type.Base.mayChange() {
			continue
		}
		if &canonical[0] == &key[0] {
			canonical = append([]any(nil), key...)
		}
		canonical[i] = v
	}
	return canonical, nil
}

func (t *Table) inKey(name string) bool {
	for _, k := range t.Key {
		if k == name {
			return true
		}
	}
	return false
}
