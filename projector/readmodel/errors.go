package readmodel

import (
	"errors"
	"fmt"
)

// ErrValue is what a *[ValueError] is.
var ErrValue = errors.New("value cannot be stored")

// ValueError says that a column cannot hold a value.
type ValueError struct {
	Table  string
	Column string
	Value  any
	Err    error // what is wrong with it
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("table %q: column %q cannot hold %s: %v", e.Table, e.Column, describe(e.Value), e.Err)
}

// Unwrap returns what is wrong with the value.
func (e *ValueError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrValue) true.
func (e *ValueError) Is(target error) bool { return target == ErrValue }

// describe prints a value for an error, shortened.
func describe(v any) string {
	const most = 80
	var s string
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(v) > most {
			return fmt.Sprintf("%.*q…", most, v)
		}
		return fmt.Sprintf("%q", v)
	case []byte:
		s = fmt.Sprintf("%d bytes", len(v))
	default:
		s = fmt.Sprintf("%v", v)
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
