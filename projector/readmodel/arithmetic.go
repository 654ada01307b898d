package readmodel

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// Numeric reports whether [Add] works on columns of this type.
func Numeric(t checkpoint.Type) bool {
	return !t.List && (t.Base == checkpoint.Int || t.Base == checkpoint.Float || t.Base == checkpoint.Decimal)
}

// Ordered reports whether [Compare] works on columns of this type.
func Ordered(t checkpoint.Type) bool {
	return !t.List && t.Base != checkpoint.Bool && t.Base != checkpoint.JSON && t.Base != checkpoint.Bytes
}

var errOverflow = errors.New("the sum is beyond the range of the column")

// Add returns the sum of two canonical values of a numeric column. Sums of ints that overflow are an error; decimals are
// exact.
func Add(a, b any) (any, error) {
	switch x := a.(type) {
	case int64:
		y := b.(int64)
		sum := x + y
		if (sum > x) != (y > 0) && y != 0 {
			return nil, errOverflow
		}
		return sum, nil
	case float64:
		sum := x + b.(float64)
		if math.IsInf(sum, 0) {
			return nil, errOverflow
		}
		return sum, nil
	case string:
		d, err := parseDecimal(x)
		if err != nil {
			return nil, err
		}
		e, err := parseDecimal(b.(string))
		if err != nil {
			return nil, err
		}
		return d.add(e).String(), nil
	}
	return nil, fmt.Errorf("cannot add to %s", kindOf(a))
}

// Compare orders two canonical values of a column of type t, as [cmp.Compare] does. Text is ordered by its bytes.
func Compare(t checkpoint.Type, a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		return cmp.Compare(x, b.(float64))
	case string:
		if t.Base == checkpoint.Decimal {
			d, _ := parseDecimal(x) // canonical, so there is no error
			e, _ := parseDecimal(b.(string))
			return d.cmp(e)
		}
		return cmp.Compare(x, b.(string))
	case time.Time:
		return x.Compare(b.(time.Time))
	case uuid.UUID:
		y := b.(uuid.UUID)
		return cmp.Compare(string(x[:]), string(y[:]))
	}
	panic(fmt.Sprintf("readmodel: Compare of %T", a)) // not Ordered
}
