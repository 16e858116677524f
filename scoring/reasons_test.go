package scoring

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tallyman/features"
)

func subjects() map[features.Subject][]group {
	return map[features.Subject][]group{features.PositionSubject: positionGroups, features.LoadSubject: lineGroups}
}

func TestEveryFeatureBelongsToOneReason(t *testing.T) {
	for subject, groups := range subjects() {
		schema := features.NewSchema(subject)
		names := schema.Names()
		for i, g := range groupFeatures(groups, names) {
			if g < 0 {
				t.Errorf("%s: feature %s belongs to no reason", subject, names[i])
			}
		}
		seen := map[string]bool{}
		for _, g := range groups {
			for _, name := range g.features {
				if seen[name] || !slices.Contains(names, name) {
					t.Errorf("%s: %s is named twice or is no feature", subject, name)
				}
				seen[name] = true
			}
		}
	}
}

// Whatever a vector holds, every group gives a code and one sentence without
// a figure that is none.
func TestReasonsAreSentencesForAnyVector(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for subject, groups := range subjects() {
		schema := features.NewSchema(subject)
		schema.Attrs = []features.AttrColumn{{Name: "shelf", Values: []string{"cold", "dry"}}, {Name: "grade"}}
		s := newScorer(Variance, schema)
		codes := map[string]string{}
		for round := range 2000 {
			r := s.read(vector(rng, schema.Width(), round))
			r.vector[s.columns["month"]] += 1
			for g := range groups {
				r.strongest = slices.Index(s.groupOf, g)
				code, text := groups[g].tell(r)
				if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "%!") ||
					!strings.HasSuffix(text, ".") || strings.ToUpper(code) != code || code == "" {
					t.Fatalf("%s: %q", code, text)
				}
				codes[code] = text
			}
		}
		for code, text := range codes {
			t.Logf("%-24s %s", code, text)
		}
	}
}

// vector returns one of missing values, of zeros, or of small numbers with
// both among them; what must be a category or a day stays one.
func vector(rng *rand.Rand, width, round int) []float32 {
	v := make([]float32, width)
	for i := range v {
		switch k := rng.IntN(4); {
		case round == 0 || round > 1 && k == 0:
			v[i] = float32(math.NaN())
		case round == 1 || k == 1:
			v[i] = 0
		default:
			v[i] = float32(rng.IntN(2))
		}
	}
	return v
}

func TestReasonsSaySpecificThings(t *testing.T) {
	position := newScorer(Variance, features.NewSchema(features.PositionSubject))
	line := newScorer(Discrepancy, features.NewSchema(features.LoadSubject))
	for _, test := range []struct {
		scorer  *Scorer
		feature string
		values  map[string]float32
		code    string
		text    string
	}{
		{position, "book", map[string]float32{"book": -4}, "NEGATIVE_ON_HAND", "Book says −4: stock cannot be below zero."},
		{
			position, "days_since_count",
			map[string]float32{"days_since_count": 94.2, "moves_since_count": 212},
			"DAYS_SINCE_COUNT", "Not counted for 94 days; 212 moves since.",
		},
		{
			position, "errors_ever",
			map[string]float32{"errors_ever": 3, "counts_ever": 8, "last_variance": float32(-math.Log1p(5)), "days_since_error": 1},
			"ERRED_BEFORE", "3 of 8 counts off, the last error by −5, 1 day ago.",
		},
		{
			position, "in_missing",
			map[string]float32{"unchanged": 1, "book": 40, "in_missing": float32(math.Log1p(25))},
			"RECEIPTS_MISSING", "Nothing came in 30 days, 25 is usual.",
		},
		{
			position, "out_repeated",
			map[string]float32{"out_repeated": 0, "restated_qty": float32(math.Log1p(9))},
			"STOCK_RESTATED", "Stock was corrected by 9 since the last count.",
		},
		{position, "out_repeated", map[string]float32{"out_repeated": 0}, "SINCE_LAST_COUNT", "What is known about the time since the last count raises the risk."},
		{
			position, "item_rate",
			map[string]float32{"item_rate": 0.14, "site_rate": 0.15, "sku_rate": 0.2},
			"SKU_ACCURACY_LOW", "This SKU is off in 20 % of counts at all sites, of all SKUs here 15 % are.",
		},
		{
			position, "zone_rate",
			map[string]float32{"zone_rate": 0.151, "site_rate": 0.15},
			"LOCATION_ACCURACY_LOW", "This raises the risk: in this zone 15 % of counts are off.",
		},
		{position, "zone_rate", map[string]float32{"zone_rate": 0.1, "site_rate": 0.15}, "LOCATION_ACCURACY_LOW", "This raises the risk: in this zone 10 % of counts are off."},
		{position, "zone_rate", map[string]float32{"zone_rate": 0, "site_rate": 0.15}, "LOCATION_ACCURACY_LOW", "What is known about counts of this zone raises the risk."},
		{
			line, "short_supplier",
			map[string]float32{"short_supplier_90": 0.12, "short_all": 0.03},
			"SUPPLIER_SHORT_RATE_90D", "This supplier was short on 12 % of lines lately, 3 % is usual.",
		},
		{line, "lead_days", nil, "ASN_MISSING", "No ASN announced this line."},
		{line, "pack_rest", map[string]float32{"pack_rest": 1, "pack": 12, "expected": float32(math.Log1p(25))}, "PACK_FACTOR_MISMATCH", "25 announced is no multiple of the pack of 12."},
		{line, "unit_cost", nil, "FEATURE_MISSING", "Nothing is known about its value."},
	} {
		v := make([]float32, test.scorer.Schema.Width())
		for i := range v {
			v[i] = float32(math.NaN())
		}
		for name, value := range test.values {
			v[column(t, test.scorer, name)] = value
		}
		got := test.scorer.told(v, column(t, test.scorer, test.feature), 1)
		if got.Code != test.code || got.Text != test.text {
			t.Errorf("%s: %s %q, want %s %q", test.feature, got.Code, got.Text, test.code, test.text)
		}
	}
}

func column(t *testing.T, s *Scorer, name string) int {
	t.Helper()
	i, ok := s.columns[name]
	if !ok {
		t.Fatalf("%s has no feature %s", s.Outcome, name)
	}
	return i
}

func TestRatesThatStandInForModelsAreFeatures(t *testing.T) {
	for _, c := range NewEngine(features.NewState()).champions {
		for _, name := range append(rates[c.Outcome], usualRates[c.Outcome]) {
			if name != "" {
				column(t, c.Scorer, name)
			}
		}
	}
}
