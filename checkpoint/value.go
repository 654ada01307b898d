package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
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
	MaxKey             = 2000 // bytes of the text and bytes in a primary key, together
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
// A primary key must not be longer than [MaxKey] either: Postgres has no place for it in an index.
//
// Decimals lose their leading zeros and plus sign and keep the zeros of their fraction; times are cut to microseconds
// and are UTC. JSON is kept as a value: white space, the order of members, repeated members and the notation of numbers
// may differ when it is read again.
func (c *Column) Canonical(v any) (any, error) {
	canonical, _, err := c.canonical(v)
	return canonical, err
}

// canonical also reports whether the value has changed.
func (c *Column) canonical(v any) (canonical any, changed bool, err error) {
	if v == nil {
		if c.NotNull {
			return nil, false, errors.New("must not be null")
		}
		return nil, false, nil
	}
	if !c.Type.List {
		return c.Type.Base.canonical(v)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false, fmt.Errorf("holds []any for a %v, not %T", c.Type, v)
	}
	return canonicalList(c.Type.Base, list)
}

func canonicalList(base Base, list []any) (canonical any, changed bool, err error) {
	out := list
	for i, element := range list {
		if element == nil {
			return nil, false, fmt.Errorf("element %d must not be null", i)
		}
		v, differs, err := base.canonical(element)
		if err != nil {
			return nil, false, fmt.Errorf("element %d: %w", i, err)
		}
		if differs && !changed {
			out, changed = slices.Clone(list), true
		}
		if changed {
			out[i] = v
		}
	}
	return out, changed, nil
}

func (b Base) canonical(v any) (canonical any, changed bool, err error) {
	var ok bool
	switch b {
	case Text:
		var s string
		if s, ok = v.(string); ok {
			return v, false, checkText(s)
		}
	case Int:
		_, ok = v.(int64)
	case Float:
		var f float64
		if f, ok = v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, false, fmt.Errorf("%v is not a number that every database can store", f)
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
			return v, false, checkJSON(raw)
		}
	}
	if !ok {
		return nil, false, fmt.Errorf("cannot hold %T as %v", v, b)
	}
	return v, false, nil
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

func canonicalTime(v any, t time.Time) (canonical any, changed bool, err error) {
	cut := t.UTC().Truncate(time.Microsecond)
	if year := cut.Year(); year < MinYear || year > MaxYear {
		return nil, false, fmt.Errorf("year %d is not between %d and %d", year, MinYear, MaxYear)
	}
	if cut == t {
		return v, false, nil
	}
	return cut, true, nil
}

func canonicalDecimal(v any, s string) (canonical any, changed bool, err error) {
	digits, negative := s, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, digits = s[0] == '-', s[1:]
	}
	integer, fraction, point := strings.Cut(digits, ".")
	if !isDigits(integer) || point && !isDigits(fraction) {
		return nil, false, fmt.Errorf("%.40q is not a decimal: want digits with an optional sign and fraction", s)
	}
	for len(integer) > 1 && integer[0] == '0' {
		integer = integer[1:]
	}
	if len(integer) > MaxDecimalInteger || len(fraction) > MaxDecimalFraction {
		return nil, false, fmt.Errorf("decimal has %d digits before and %d after the point, the limits are %d and %d",
			len(integer), len(fraction), MaxDecimalInteger, MaxDecimalFraction)
	}
	zero := strings.Trim(integer, "0") == "" && strings.Trim(fraction, "0") == ""
	text := integer
	if negative && !zero {
		text = "-" + integer
	}
	if point {
		text += "." + fraction
	}
	if text == s {
		return v, false, nil
	}
	return text, true, nil
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
	out, copied := row, false
	var key keyCheck
	for i := range row {
		v, changed, err := t.Columns[i].canonical(row[i])
		if err == nil && key.concerns(v) && slices.Contains(t.Key, t.Columns[i].Name) {
			err = key.add(v)
		}
		if err != nil {
			return nil, &RowError{Table: t.Name, Column: t.Columns[i].Name, Row: index, Err: err}
		}
		if changed && !copied {
			out, copied = slices.Clone(row), true
		}
		if changed {
			out[i] = v
		}
	}
	return out, nil
}

// CanonicalKey is [Table.CanonicalRow] for the values of a key, in the order of Table.Key.
func (t *Table) CanonicalKey(key []any, index int) ([]any, error) {
	if len(key) != len(t.Key) {
		return nil, &RowError{Table: t.Name, Row: index, Err: fmt.Errorf("key has %d values for %d columns", len(key), len(t.Key))}
	}
	out, copied := key, false
	var all keyCheck
	for i, name := range t.Key {
		v, changed, err := t.Columns[t.Column(name)].canonical(key[i])
		if err == nil {
			err = all.add(v)
		}
		if err != nil {
			return nil, &RowError{Table: t.Name, Column: name, Row: index, Err: err}
		}
		if changed && !copied {
			out, copied = slices.Clone(key), true
		}
		if changed {
			out[i] = v
		}
	}
	return out, nil
}

// keyCheck adds up the values of a key.
type keyCheck struct{ size int }

// concerns reports whether a value could be wrong in a key; those that are short are not even counted.
func (*keyCheck) concerns(v any) bool {
	const short = 32
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return len(v) > short
	case []byte:
		return len(v) > short
	}
	return false
}

func (k *keyCheck) add(v any) error {
	switch v := v.(type) {
	case nil:
		return errors.New("must not be null: it is part of the primary key")
	case string:
		k.size += len(v)
	case []byte:
		k.size += len(v)
	}
	if k.size > MaxKey {
		return fmt.Errorf("makes the primary key longer than %d bytes", MaxKey)
	}
	return nil
}
