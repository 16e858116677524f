package training

import (
	"tallyman/models"
	"tallyman/scoring"
)

// anchors are the rates that tell an outcome as it is now, with their weights:
// half for the base rate, half for what is particular to the supplier or the
// position. docs/backtest.md has the figures they were chosen by.
var anchors = map[scoring.Outcome]map[string]float64{
	scoring.Late: {
		"late_all_60": 1. / 2, "late_supplier": 1. / 6, "late_supplier_60": 1. / 6, "late_supplier_site": 1. / 6,
	},
	scoring.Discrepancy: {
		"short_all": 1. / 2, "short_supplier": 1. / 6, "short_supplier_90": 1. / 6, "short_supplier_site": 1. / 6,
	},
	scoring.Variance: {
		"prior_30": 1. / 2, "prior_60": 1. / 6, "rate_30": 1. / 6, "rate_60": 1. / 6,
	},
}

// anchor averages a model whose base rate drifts with the rates as they are
// now. Trees stop rising where the past stops, and rates go on: between them
// they lose less whichever way the base rate goes next. That is taken unless
// it was clearly worse on the later slices, since how the rate moved there
// says little about its next move.
func (cv *crossValidation) anchor(t *table, outcome scoring.Outcome, m *models.Model) *models.Model {
	pool := pooled(t, outcome)
	with := *cv
	with.margins = make([]float32, len(cv.margins))
	for i, e := range cv.rows {
		with.margins[i] = (cv.margins[i] + pool.Margin(e.Vector)) / 2
	}
	if cv.clearlyBeats(&with) {
		return m
	}
	return models.Average(m, pool)
}

// pooled returns the anchor of an outcome as a model.
func pooled(t *table, outcome scoring.Outcome) *models.Model {
	names := t.schema.Names()
	all := make([]int, len(names))
	weights := make([]float64, len(names))
	for i, name := range names {
		all[i], weights[i] = i, anchors[outcome][name]
	}
	pool := models.PoolRates(t.dataset(all).X, names, weights)
	widen(pool, t.schema, all)
	return pool
}
