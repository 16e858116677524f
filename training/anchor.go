package training

import (
	"tallyman/models"
	"tallyman/scoring"
)

// anchors are the opinions that rates as they are now give of an outcome: of
// the base rate, and of what is particular to the supplier or the position.
// Each is a pool of features by weight; docs/backtest.md has the figures they
// were chosen by.
var anchors = map[scoring.Outcome][]map[string]float64{
	scoring.Late: {
		{"late_all_60": 1},
		{"late_supplier": 1. / 3, "late_supplier_60": 1. / 3, "late_supplier_site": 1. / 3},
	},
	scoring.Discrepancy: {
		{"short_all": 1},
		{"short_supplier": 1. / 3, "short_supplier_90": 1. / 3, "short_supplier_site": 1. / 3},
	},
	scoring.Variance: {
		{"prior_30": 1},
		{"prior_60": 1. / 3, "rate_30": 1. / 3, "rate_60": 1. / 3},
	},
}

// anchor averages a model whose base rate drifts with the rates as they are
// now, as one opinion among equals. Trees stop rising where the past stops, and
// rates go on: between them they lose less whichever way the base rate goes
// next. That is done unless it was clearly worse on the later slices, since how
// the rate moved there says little about its next move.
func (cv *crossValidation) anchor(t *table, outcome scoring.Outcome, m *models.Model) *models.Model {
	rates := opinions(t, outcome)
	with := *cv
	with.margins = make([]float32, len(cv.margins))
	for i, e := range cv.rows {
		sum := cv.margins[i]
		for _, r := range rates {
			sum += r.Margin(e.Vector)
		}
		with.margins[i] = sum / float32(1+len(rates))
	}
	if cv.clearlyBeats(&with) {
		return m
	}
	return models.Average(append(rates, m)...)
}

// opinions returns the anchors of an outcome as models.
func opinions(t *table, outcome scoring.Outcome) []*models.Model {
	names := t.schema.Names()
	all := make([]int, len(names))
	for i := range all {
		all[i] = i
	}
	x := t.dataset(all).X
	var list []*models.Model
	for _, anchor := range anchors[outcome] {
		weights := make([]float64, len(names))
		for i, name := range names {
			weights[i] = anchor[name]
		}
		pool := models.PoolRates(x, names, weights)
		widen(pool, t.schema, all)
		list = append(list, pool)
	}
	return list
}
