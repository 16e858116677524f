package warehouse

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Qty is a quantity in thousandths of the SKU's base unit: 1500 is 1.5 kg or
// one and a half each. Sums of quantities are exact.
type Qty int64

// MaxQty bounds the size of a quantity that is accepted: 10¹² base units.
const MaxQty Qty = 1e15

// Unit is one base unit.
const Unit Qty = 1000

// ParseQty reads a plain decimal with at most three places, such as "12",
// "-0.5" or "1.250". Exponents, digit grouping, NaN and infinities are errors,
// and so is a value beyond ±10¹² units.
func ParseQty(s string) (Qty, error) {
	v, err := parseDecimal(s, 3)
	if err != nil {
		return 0, err
	}
	if q := Qty(v); q >= -MaxQty && q <= MaxQty {
		return q, nil
	}
	return 0, errors.New("is beyond ±1000000000000")
}

// String returns the shortest decimal that reads back as q.
func (q Qty) String() string {
	return formatDecimal(int64(q), 3)
}

// Units returns q in base units, for features and sizes only.
func (q Qty) Units() float64 { return float64(q) / float64(Unit) }

// Abs returns the size of q.
func (q Qty) Abs() Qty {
	if q < 0 {
		return -q
	}
	return q
}

// MaybeQty is a quantity that may not be known. Zero counted is not "not
// counted": the zero value is unknown, not zero.
type MaybeQty struct {
	Qty   Qty
	Known bool
}

// Some returns a known quantity.
func Some(q Qty) MaybeQty { return MaybeQty{q, true} }

// String returns the quantity, or the empty string when it is unknown.
func (m MaybeQty) String() string {
	if !m.Known {
		return ""
	}
	return m.Qty.String()
}

// parseDecimal reads a decimal as an integer count of 10^-places.
func parseDecimal(s string, places int) (int64, error) {
	digits, neg := s, false
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		neg, digits = digits[0] == '-', digits[1:]
	}
	whole, frac, point := strings.Cut(digits, ".")
	if frac == "" && (point || whole == "") {
		return 0, fmt.Errorf("%q is not a decimal number", clip(s))
	}
	frac = strings.TrimRight(frac, "0")
	if !allDigits(whole) || !allDigits(frac) {
		return 0, fmt.Errorf("%q is not a plain decimal number", clip(s))
	}
	if len(frac) > places {
		return 0, fmt.Errorf("%q has more than %d decimal places", clip(s), places)
	}
	frac += strings.Repeat("0", places-len(frac))
	v, err := strconv.ParseInt(strings.TrimLeft(whole, "0")+frac, 10, 64)
	if err != nil || v == math.MaxInt64 {
		return 0, fmt.Errorf("%q is too large", clip(s))
	}
	if neg {
		v = -v
	}
	return v, nil
}

func formatDecimal(v int64, places int) string {
	s := strconv.FormatInt(v, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for len(s) <= places {
		s = "0" + s
	}
	whole, frac := s[:len(s)-places], strings.TrimRight(s[len(s)-places:], "0")
	if frac != "" {
		whole += "." + frac
	}
	if neg {
		return "-" + whole
	}
	return whole
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// clip shortens a value for use in a message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
