package training

import (
	"slices"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
)

// A setting is one way to fit, among which cross-validation chooses.
type setting struct {
	name   string
	core   bool // only the features of coreColumns
	params models.Params
}

// settings are few and strongly regularised: outcomes are rare, and a rule
// that holds at one site must hold at the next. The first is what stands when
// no other is clearly better. They were chosen by cross-validation over time on
// real counts and loads; docs/backtest.md has the figures.
func settings(outcome scoring.Outcome, rows int) []setting {
	with := func(trees, depth int, eta, cols, sample float64) models.Params {
		p := models.DefaultParams()
		p.Trees, p.Depth, p.Eta, p.ColSample, p.RowSample = trees, depth, eta, cols, sample
		p.MinChildWeight, p.L2, p.Bins = 5, 10, 128
		return p
	}
	list := []setting{
		{"core, depth 3", true, with(300, 3, 0.04, 0.3, 0.5)},
		{"all, depth 3", false, with(300, 3, 0.04, 0.3, 0.5)},
	}
	if outcome != scoring.Variance {
		// The core of a load is a handful of rates that say much the same.
		list[0] = setting{"core, depth 2", true, with(150, 2, 0.05, 0.5, 0.7)}
	}
	if rows > 5_000 {
		list = append(list, setting{"all, depth 5", false, with(300, 5, 0.05, 0.4, 0.5)})
	}
	return list
}

// coreFeatures carry most of what is known and little that is particular to
// one site; where examples are few they are all that holds up.
var coreFeatures = map[scoring.Outcome][]string{
	scoring.Variance: {
		"book", "book_negative", "days_since_count", "site_days_since_count", "days_since_error",
		"rate_30", "rate_60", "prior_30", "site_negatives", "site_received", "book_zero", "out_spread",
		"restated_qty", "unchanged", "out_repeated", "out_missing", "in_missing", "out_since_count",
	},
	scoring.Late: {
		"late_supplier_site", "late_site", "late_supplier", "late_site_60", "late_supplier_60", "overdue_supplier",
	},
	scoring.Discrepancy: {
		"expected", "pack_rest", "edits", "short_all", "short_site", "short_supplier", "short_supplier_90", "short_supplier_site",
		"short_sku", "short_prior", "over_supplier", "edited_supplier",
	},
}

// monotone lists the features whose rise cannot lower a risk, whatever a
// sample says. Base rates drift, and without this a model learns the drift.
var monotone = map[scoring.Outcome][]string{
	scoring.Variance: {
		"book_negative", "rate_30", "rate_60", "prior_30", "prior_60", "site_negatives", "zone_negatives", "item_negatives", "site_days_since_count",
	},
	scoring.Late: {
		"late_supplier_site", "late_site", "late_supplier", "late_site_60", "late_supplier_60", "late_all", "late_prior", "late_carrier", "late_sku",
		"late_all_60", "overdue_supplier",
	},
	scoring.Discrepancy: {
		"short_all", "short_site", "short_supplier", "short_supplier_90", "short_supplier_site", "short_sku", "short_prior",
	},
}

// columns returns the features that a setting uses.
func (s setting) columns(schema *features.Schema, outcome scoring.Outcome) []int {
	var columns []int
	for i, name := range schema.Names() {
		if !s.core || slices.Contains(coreFeatures[outcome], name) {
			columns = append(columns, i)
		}
	}
	return columns
}

// signs returns the monotone constraints of the columns.
func signs(schema *features.Schema, columns []int, outcome scoring.Outcome) []int8 {
	names := schema.Names()
	signs := make([]int8, len(columns))
	for j, c := range columns {
		if slices.Contains(monotone[outcome], names[c]) {
			signs[j] = 1
		}
	}
	return signs
}
