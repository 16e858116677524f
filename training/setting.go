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
// that holds at one site must hold at the next.
func settings(rows int) []setting {
	base := models.DefaultParams()
	base.Trees, base.EarlyStopping = 400, 60
	base.Bins = 128
	with := func(depth int, eta, mcw, l2, cols, sample float64) models.Params {
		p := base
		p.Depth, p.Eta, p.MinChildWeight, p.L2, p.ColSample, p.RowSample = depth, eta, mcw, l2, cols, sample
		return p
	}
	list := []setting{
		{"core, depth 2", true, with(2, 0.04, 5, 10, 0.4, 0.7)},
		{"core, depth 3", true, with(3, 0.03, 5, 10, 0.4, 0.7)},
		{"all, depth 3", false, with(3, 0.04, 5, 10, 0.3, 0.7)},
	}
	if rows > 5_000 {
		list = append(list, setting{"all, depth 5", false, with(5, 0.05, 5, 10, 0.4, 0.8)})
	}
	return list
}

// coreFeatures carry most of what is known and little that is particular to
// one site; where examples are few they are all that holds up.
var coreFeatures = map[features.Subject][]string{
	features.PositionSubject: {
		"book", "book_negative", "book_zero", "cover", "out_spread", "out_mean",
		"days_since_count", "count_lag", "site_days_since_count", "days_since_error", "clean_run",
		"rate", "prior", "site_negatives", "zone_negatives", "exceptions_90", "moves_since_count",
	},
	features.LoadSubject: {
		"expected", "value", "lead_days", "weekday", "edits", "load_lines", "arrived", "overdue", "pack_rest",
		"late_site", "late_supplier", "late_supplier_90", "late_supplier_site", "late_carrier", "late_sku", "late_prior",
		"short_site", "short_supplier", "short_supplier_90", "short_supplier_site", "short_sku", "short_prior", "over_supplier", "edited_supplier",
	},
}

// monotone lists the features whose rise cannot lower a risk (+1), or cannot
// raise it (-1), whatever a sample says.
var monotone = map[features.Subject]map[string]int8{
	features.PositionSubject: {
		"rate": 1, "prior": 1, "site_negatives": 1, "zone_negatives": 1, "item_negatives": 1, "site_rate": 1, "zone_rate": 1,
		"sku_rate": 1, "item_rate": 1, "user_rate": 1, "days_since_count": 1, "count_lag": 1, "clean_run": -1, "book_negative": 1,
		"exceptions_28": 1, "exceptions_90": 1, "errors_365": 1,
	},
	features.LoadSubject: {
		"late_site": 1, "late_supplier": 1, "late_supplier_90": 1, "late_supplier_site": 1, "late_carrier": 1, "late_sku": 1, "late_prior": 1,
		"short_site": 1, "short_supplier": 1, "short_supplier_90": 1, "short_supplier_site": 1, "short_sku": 1, "short_prior": 1,
	},
}

// columns returns the features that a setting uses.
func (s setting) columns(schema *features.Schema) []int {
	var columns []int
	for i, name := range schema.Names() {
		if !s.core || slices.Contains(coreFeatures[schema.Subject], name) {
			columns = append(columns, i)
		}
	}
	return columns
}

// signs returns the monotone constraints of the columns for an outcome. A
// lateness rate says nothing certain of shortness, and the other way round.
func signs(schema *features.Schema, columns []int, outcome scoring.Outcome) []int8 {
	names := schema.Names()
	signs := make([]int8, len(columns))
	for j, c := range columns {
		name := names[c]
		if outcome == scoring.Late && len(name) > 5 && name[:5] == "short" || outcome == scoring.Discrepancy && len(name) > 4 && name[:4] == "late" {
			continue
		}
		signs[j] = monotone[schema.Subject][name]
	}
	return signs
}
