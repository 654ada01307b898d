package readmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// Convert brings a value to the one form in which a column of type t holds it, whatever the database: see
// [checkpoint.Type] for the Go types. It takes what decoded JSON and expressions consist of (nil, bool, string, numbers
// of any Go type, json.Number, time.Time, uuid.UUID, []byte, []any, map[string]any) and refuses what would lose something:
// a fraction in an int, a number beyond its range, text with U+0000. An error says what is wrong with the value.
func Convert(t checkpoint.Type, v any) (any, error) {
	switch {
	case v == nil:
		return nil, nil
	case t.List:
		return convertList(t, v)
	}
	switch t.Base {
	case checkpoint.Text:
		return convertText(v)
	case checkpoint.Int:
		return convertInt(v)
	case checkpoint.Float:
		return convertFloat(v)
	case checkpoint.Decimal:
		return convertDecimal(v)
	case checkpoint.Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, mismatch(t, v)
	case checkpoint.Time:
		return convertTime(v)
	case checkpoint.UUID:
		return convertUUID(v)
	case checkpoint.Bytes:
		return convertBytes(v)
	case checkpoint.JSON:
		return convertJSON(v)
	}
	return nil, fmt.Errorf("unknown column type %v", t)
}

func mismatch(t checkpoint.Type, v any) error {
	return fmt.Errorf("want %v, got %s", t, kindOf(v))
}

// kindOf names the kind of a value in the words of the column types.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "bool"
	case float32, float64:
		return "float"
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return "int"
	case json.Number:
		return "number"
	case time.Time:
		return "time"
	case uuid.UUID:
		return "uuid"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

func convertList(t checkpoint.Type, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		if list, ok = anyList(v); !ok {
			return nil, mismatch(t, v)
		}
	}
	out := make([]any, len(list))
	for i, item := range list {
		if item == nil {
			return nil, fmt.Errorf("item %d of the list is null", i)
		}
		c, err := Convert(checkpoint.Type{Base: t.Base}, item)
		if err != nil {
			return nil, fmt.Errorf("item %d of the list: %w", i, err)
		}
		out[i] = c
	}
	return out, nil
}

// anyList returns a slice of any other type, such as []string, item by item.
func anyList(v any) (list []any, ok bool) {
	r := reflect.ValueOf(v)
	if _, isBytes := v.([]byte); isBytes || r.Kind() != reflect.Slice {
		return nil, false
	}
	list = make([]any, r.Len())
	for i := range list {
		list[i] = r.Index(i).Interface()
	}
	return list, true
}

func convertText(v any) (any, error) {
	switch s := v.(type) {
	case string:
		if err := checkText(s); err != nil {
			return nil, err
		}
		return v, nil
	case uuid.UUID:
		return s.String(), nil
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.Text}, v)
}

var (
	errNUL  = errors.New("text with U+0000, which databases do not hold")
	errUTF8 = errors.New("text that is not valid UTF-8")
)

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return errNUL
	}
	if !utf8.ValidString(s) {
		return errUTF8
	}
	return nil
}

// toInt returns the integer that v is, of whatever Go type.
func toInt(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint:
		return int64(v), uint64(v) <= math.MaxInt64
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

func convertInt(v any) (any, error) {
	if _, ok := v.(int64); ok {
		return v, nil
	}
	if n, ok := toInt(v); ok {
		return n, nil
	}
	switch v := v.(type) {
	case uint, uint64:
		return nil, errors.New("beyond the range of int (64 bits)")
	case float32:
		return floatToInt(float64(v))
	case float64:
		return floatToInt(v)
	case json.Number:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err == nil {
			return n, nil
		}
		d, err := parseDecimal(string(v))
		if err != nil {
			return nil, err
		}
		return d.int64()
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.Int}, v)
}

func floatToInt(f float64) (any, error) {
	switch {
	case f != math.Trunc(f): // also NaN
		return nil, errors.New("it has a fraction, and the column is int")
	case f < -1<<63 || f >= 1<<63:
		return nil, errors.New("beyond the range of int (64 bits)")
	}
	return int64(f), nil
}

func convertFloat(v any) (any, error) {
	switch f := v.(type) {
	case float64:
		if f != f || math.IsInf(f, 0) {
			return nil, errors.New("not a finite number")
		}
		if f == 0 { // one zero only
			return 0.0, nil
		}
		return v, nil
	case float32:
		return convertFloat(float64(f))
	case json.Number:
		x, err := f.Float64()
		if err != nil {
			return nil, errors.New("beyond the range of float (64 bits)")
		}
		return convertFloat(x)
	case uint:
		return float64(f), nil
	case uint64:
		return float64(f), nil
	}
	if n, ok := toInt(v); ok {
		return float64(n), nil
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.Float}, v)
}

func convertTime(v any) (any, error) {
	switch t := v.(type) {
	case time.Time:
		return checkTime(t)
	case string:
		x, err := time.Parse(time.RFC3339Nano, t)
		if err != nil {
			return nil, errors.New(`want a time like "2006-01-02T15:04:05Z" (RFC 3339)`)
		}
		return checkTime(x)
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.Time}, v)
}

// checkTime returns t as databases give it back: UTC, microseconds, no monotonic clock.
func checkTime(t time.Time) (time.Time, error) {
	t = t.Round(0).UTC().Truncate(time.Microsecond)
	if y := t.Year(); y < 1 || y > 9999 {
		return t, fmt.Errorf("year %d is not between 1 and 9999", y)
	}
	return t, nil
}

func convertUUID(v any) (any, error) {
	switch u := v.(type) {
	case uuid.UUID:
		return v, nil
	case string:
		id, err := uuid.Parse(u)
		if err != nil {
			return nil, errors.New("not a UUID")
		}
		return id, nil
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.UUID}, v)
}

func convertBytes(v any) (any, error) {
	switch b := v.(type) {
	case []byte:
		return b, nil
	case string:
		return []byte(b), nil
	}
	return nil, mismatch(checkpoint.Type{Base: checkpoint.Bytes}, v)
}

// Equal reports whether two canonical values of a column are the same. JSON is compared as a value.
func Equal(a, b any) bool {
	x, xIsJSON := a.(json.RawMessage)
	y, yIsJSON := b.(json.RawMessage)
	if !xIsJSON || !yIsJSON {
		return equal(a, b)
	}
	c, err := convertJSON(x)
	d, err2 := convertJSON(y)
	return err == nil && err2 == nil && equal(c, d)
}

// equal reports whether two values of a column are the same.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && string(a) == string(b)
	case json.RawMessage:
		b, ok := b.(json.RawMessage)
		return ok && string(a) == string(b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []byte, json.RawMessage, []any: // not comparable with ==
		return false
	}
	return a == b
}
