package training

import (
	"cmp"
	"math"
	"slices"

	"tallyman/features"
	"tallyman/scoring"
)

// A baseline is a policy that needs no model: what a warehouse could do with
// a spreadsheet.
type baseline struct {
	name   string
	scores func(t *table) []float64
}

func baselines(target Target) []baseline {
	if target.Subject == features.LoadSubject {
		rate := "short_supplier"
		if target.Outcome == scoring.Late {
			rate = "late_supplier"
		}
		return []baseline{
			{"random", flat},
			{"supplier rate", func(t *table) []float64 { return t.column(rate, 0) }},
			{"largest value first", func(t *table) []float64 { return t.column("value", 0) }},
			{"largest quantity first", func(t *table) []float64 { return t.column("expected", 0) }},
		}
	}
	return []baseline{
		{"random", flat},
		{"oldest count first", func(t *table) []float64 { return t.column("days_since_count", math.Inf(1)) }},
		{"abc by usage", usageClass},
		{"fastest movers", func(t *table) []float64 { return t.column("moves_90", 0) }},
		{"lowest stock", func(t *table) []float64 { return negated(t.column("book", 0)) }},
		{"erred before", func(t *table) []float64 { return t.column("errors_ever", 0) }},
	}
}

func flat(t *table) []float64 { return make([]float64, len(t.examples)) }

func negated(x []float64) []float64 {
	for i := range x {
		x[i] = -x[i]
	}
	return x
}

// usageClass scores the ABC class by usage value of the last half year, value
// in units where no cost is known: A is what makes up the first 80 % of the
// usage of a site in a month, B the next 15 %, C the rest.
func usageClass(t *table) []float64 {
	usage := t.column("out_mean", 0)
	for i, cost := range t.column("unit_cost", 1) {
		usage[i] *= cost
	}
	type group struct {
		site  string
		month int
	}
	rows := map[group][]int{}
	for i, e := range t.examples {
		g := group{string(e.Position.Site), period(e.At)}
		rows[g] = append(rows[g], i)
	}
	scores := make([]float64, len(usage))
	for _, g := range rows {
		slices.SortFunc(g, func(a, b int) int { return cmp.Or(cmp.Compare(usage[b], usage[a]), cmp.Compare(a, b)) })
		var total, before float64
		for _, i := range g {
			total += usage[i]
		}
		for _, i := range g {
			switch {
			case before < 0.80*total:
				scores[i] = 3
			case before < 0.95*total:
				scores[i] = 2
			default:
				scores[i] = 1
			}
			before += usage[i]
		}
	}
	return scores
}
