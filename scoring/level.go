package scoring

import (
	"math"
	"slices"

	"tallyman/features"
	"tallyman/warehouse"
)

// How much higher than usual the odds are from which a risk has a level. One
// in two is high wherever it is usual.
const (
	elevatedOdds = 2.0
	highOdds     = 4.0
	highAnyway   = 0.5
)

// defaultBase is the usual risk where nothing is known: what a distribution
// centre counted monthly finds wrong.
const defaultBase = 0.05

// level says a probability in words, relative to what is usual.
func level(p, usual float64) Level {
	ratio := odds(p) / odds(usual)
	switch {
	case p >= highAnyway || ratio >= highOdds:
		return High
	case ratio >= elevatedOdds:
		return Elevated
	}
	return Low
}

func odds(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return p / (1 - p)
}

var usualRates = map[Outcome]string{Variance: "site_rate", Discrepancy: "short_all", Late: "late_all"}

// usual is the base rate of an outcome: of a site's counts, or of the lines
// inbound to all sites.
func (r reading) usual(outcome Outcome) float64 {
	if v := r.of(usualRates[outcome]); v > 0 {
		return v
	}
	return defaultBase
}

// An amount is a loss before it is rounded; the zero value is unknown.
type amount struct {
	value    float64
	currency warehouse.Currency
}

func loss(units float64, c warehouse.Cost) amount {
	if !c.Known() || math.IsNaN(units) {
		return amount{}
	}
	return amount{units * c.PerUnit(), c.Currency}
}

func (a amount) times(p float64) amount { return amount{a.value * p, a.currency} }

func (a amount) money() warehouse.Money {
	if a.currency == "" {
		return warehouse.Money{}
	}
	return warehouse.Round(a.value, a.currency)
}

// sum adds amounts. One without a named currency is in the others', since a
// site keeps its books in one; amounts in two named currencies have no sum.
func sum(amounts []amount) amount {
	var total amount
	for _, a := range amounts {
		switch {
		case a.currency == "":
			continue
		case total.currency == "" || total.currency == warehouse.NoCurrency:
			total.currency = a.currency
		case a.currency != total.currency && a.currency != warehouse.NoCurrency:
			return amount{}
		}
		total.value += a.value
	}
	return total
}

// Missing everything that could tell about a line, a human should look.
func unknown(missing []string) bool {
	has := func(name string) bool { return slices.Contains(missing, name) }
	return has(features.MissingSite) || has(features.MissingASN) && has(features.MissingSupplier)
}

// advice is to verify when goods are probably not what was said, to have a
// human look where too little is known, and else to proceed. A load that is
// only late needs no verifying.
func advice(lines []LineEvaluation) Advice {
	out := Proceed
	for i := range lines {
		for _, s := range lines[i].Signals {
			if s.Outcome != Late && s.Level == High {
				return Verify
			}
		}
		if unknown(lines[i].Missing) {
			out = Review
		}
	}
	return out
}
