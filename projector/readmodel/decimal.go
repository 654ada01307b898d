package readmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/photonpump/projector/checkpoint"
)

// maxDecimalDigits bounds digits and exponent of a decimal, so that "1e999999999" is an error and not all the memory.
const maxDecimalDigits = 1000

// decimal is an exact number: unscaled / 10^scale.
type decimal struct {
	unscaled *big.Int
	scale    int
}

func parseDecimal(s string) (decimal, error) {
	bad := func() (decimal, error) { return decimal{}, errors.New("not a decimal number") }
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || i == 0 {
			return bad()
		}
		mantissa, exponent = s[:i], e
	}
	sign := ""
	if mantissa != "" && (mantissa[0] == '-' || mantissa[0] == '+') {
		sign, mantissa = mantissa[:1], mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return bad()
	}
	if len(digits) > maxDecimalDigits || exponent > maxDecimalDigits || exponent < -maxDecimalDigits {
		return decimal{}, fmt.Errorf("a decimal of more than %d digits", maxDecimalDigits)
	}
	scale := len(fraction) - exponent
	if scale < 0 {
		digits += strings.Repeat("0", -scale)
		scale = 0
	}
	n, ok := new(big.Int).SetString(sign+digits, 10)
	if !ok {
		return bad()
	}
	return decimal{unscaled: n, scale: scale}, nil
}

// String writes the digits without exponent, keeping zeros at the end of the fraction.
func (d decimal) String() string {
	digits := new(big.Int).Abs(d.unscaled).String()
	if len(digits) <= d.scale {
		digits = strings.Repeat("0", d.scale+1-len(digits)) + digits
	}
	if d.scale > 0 {
		digits = digits[:len(digits)-d.scale] + "." + digits[len(digits)-d.scale:]
	}
	if d.unscaled.Sign() < 0 {
		return "-" + digits
	}
	return digits
}

// at returns the unscaled value with a scale that is not smaller.
func (d decimal) at(scale int) *big.Int {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-d.scale)), nil)
	return ten.Mul(ten, d.unscaled)
}

func (d decimal) add(e decimal) decimal {
	scale := max(d.scale, e.scale)
	return decimal{unscaled: new(big.Int).Add(d.at(scale), e.at(scale)), scale: scale}
}

func (d decimal) cmp(e decimal) int {
	scale := max(d.scale, e.scale)
	return d.at(scale).Cmp(e.at(scale))
}

func (d decimal) int64() (any, error) {
	whole, rest := new(big.Int).QuoRem(d.unscaled, decimal{unscaled: big.NewInt(1)}.at(d.scale), new(big.Int))
	switch {
	case rest.Sign() != 0:
		return nil, errors.New("it has a fraction, and the column is int")
	case !whole.IsInt64():
		return nil, errors.New("beyond the range of int (64 bits)")
	}
	return whole.Int64(), nil
}

func convertDecimal(v any) (any, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = string(v)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		text = strconv.FormatFloat(float64(v), 'g', -1, 32)
	case uint64:
		text = strconv.FormatUint(v, 10)
	default:
		n, ok := toInt(v)
		if !ok {
			return nil, mismatch(checkpoint.Type{Base: checkpoint.Decimal}, v)
		}
		text = strconv.FormatInt(n, 10)
	}
	d, err := parseDecimal(text)
	if err != nil {
		return nil, err
	}
	return d.String(), nil
}
