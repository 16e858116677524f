package warehouse

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// Currency is an ISO 4217 code. XXX, the standard's code for "no currency",
// stands for an amount whose sender named none.
type Currency string

// NoCurrency marks an amount sent without a currency.
const NoCurrency Currency = "XXX"

// Cost is the price of one base unit in millionths of the currency's major
// unit: fine enough for a tablet at 0.0031 USD. The zero value is an unknown
// cost.
type Cost struct {
	Micros   int64
	Currency Currency
}

// Known reports whether a cost was given.
func (c Cost) Known() bool { return c.Currency != "" }

// PerUnit returns the cost of one base unit in major units, NaN when unknown.
func (c Cost) PerUnit() float64 {
	if !c.Known() {
		return math.NaN()
	}
	return float64(c.Micros) / 1e6
}

// In returns the cost where books are kept in a currency, "" or [NoCurrency] for an
// unknown one. A cost without a currency is in that one. One in another is unknown:
// nothing here converts.
func (c Cost) In(own Currency) Cost {
	switch {
	case !c.Known() || own == "" || own == NoCurrency || c.Currency == own:
		return c
	case c.Currency == NoCurrency:
		return Cost{c.Micros, own}
	}
	return Cost{}
}

// ParseCost reads a decimal cost of at most six places; an empty currency
// becomes [NoCurrency].
func ParseCost(amount, currency string) (Cost, error) {
	v, err := parseDecimal(amount, 6)
	switch {
	case err != nil:
		return Cost{}, err
	case v < 0:
		return Cost{}, errors.New("is negative")
	case v > 1e15:
		return Cost{}, errors.New("is beyond 1000000000")
	}
	c, err := ParseCurrency(currency)
	return Cost{Micros: v, Currency: c}, err
}

// String returns the amount of a known cost without its currency.
func (c Cost) String() string {
	if !c.Known() {
		return ""
	}
	return formatDecimal(c.Micros, 6)
}

// ParseCurrency checks the form of an ISO 4217 code; the empty string is
// [NoCurrency].
func ParseCurrency(s string) (Currency, error) {
	if s == "" {
		return NoCurrency, nil
	}
	if len(s) != 3 {
		return "", fmt.Errorf("%q is not a three-letter ISO 4217 code", clip(s))
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return "", fmt.Errorf("%q is not a three-letter ISO 4217 code", clip(s))
		}
	}
	return Currency(s), nil
}

// Money is an amount in the minor unit of its currency.
type Money struct {
	Minor    int64
	Currency Currency
}

// exponents lists the currencies whose minor unit is not a hundredth (ISO
// 4217, active codes).
var exponents = map[Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// Exponent returns the number of decimal places of the currency's minor unit.
func (c Currency) Exponent() int {
	if e, ok := exponents[c]; ok {
		return e
	}
	return 2
}

// Value returns what q costs, rounded half to even to the minor unit, and an
// error when the amount does not fit.
func (c Cost) Value(q Qty) (Money, error) {
	// micros × thousandths is a count of 10⁻⁹ of the major unit.
	v := new(big.Int).Mul(big.NewInt(c.Micros), big.NewInt(int64(q)))
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(9-c.Currency.Exponent())), nil)
	whole, rest := new(big.Int).QuoRem(v, unit, new(big.Int))
	twice := new(big.Int).Abs(rest)
	twice.Lsh(twice, 1)
	if cmp := twice.Cmp(unit); cmp > 0 || cmp == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(int64(v.Sign())))
	}
	if !whole.IsInt64() {
		return Money{}, fmt.Errorf("value of %s at %s %s overflows", q, c, c.Currency)
	}
	return Money{Minor: whole.Int64(), Currency: c.Currency}, nil
}

// Round returns the money nearest to an estimated amount of major units, for
// figures that come from a probability rather than a ledger.
func Round(amount float64, c Currency) Money {
	scaled := math.Round(amount * math.Pow10(c.Exponent()))
	return Money{Minor: int64(max(-9e15, min(9e15, scaled))), Currency: c}
}

// String returns the amount in major units without its currency, with all the
// places of the minor unit: "12.50".
func (m Money) String() string {
	e := m.Currency.Exponent()
	if e == 0 {
		return fmt.Sprint(m.Minor)
	}
	sign, v := "", m.Minor
	if v < 0 {
		sign, v = "-", -v
	}
	scale := int64(math.Pow10(e))
	return fmt.Sprintf("%s%d.%0*d", sign, v/scale, e, v%scale)
}
