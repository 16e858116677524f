package training

import (
	"context"
	"math"
	"slices"

	"tallyman/models"
	"tallyman/scoring"
)

// fitSize fits the expected size of a difference, given that there is one:
// squared error on ln(1+units) over the positive rows, then a constant that
// makes the mean right in units (Duan's smearing, on sizes cut off at their
// 99th percentile, since they are heavy-tailed). The model predicts
// ln(1+expected units).
func fitSize(ctx context.Context, t *table, seed uint64, threads int) (*models.Model, error) {
	positive := t.where(func(i int) bool { return t.labels[i].positive })
	s := settings(scoring.Variance, len(positive.examples))[0]
	columns := s.columns(t.schema, scoring.Variance)
	d := positive.dataset(columns)
	sizes := make([]float64, len(d.Y))
	for i, l := range positive.labels {
		sizes[i] = l.size.Units()
		d.Y[i] = float32(math.Log1p(sizes[i]))
	}
	p := s.params
	p.Objective, p.Trees, p.EarlyStopping, p.Seed, p.Threads = models.SquaredError, 60, 0, seed, threads
	p.MinChildWeight = 10
	m, _, err := models.Fit(ctx, d, nil, p, nil)
	if err != nil {
		return nil, err
	}
	most := quantile(sizes, 0.99)
	var actual, predicted float64
	for i, size := range sizes {
		actual += min(size, most)
		predicted += math.Expm1(m.Predict(d.X.Row(i)))
	}
	if predicted > 0 && actual > 0 {
		m.BaseScore += float32(math.Log(actual / predicted))
	}
	widen(m, t.schema, columns)
	return m, nil
}

func quantile(x []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[int(q*float64(len(sorted)-1))]
}

// ExpectedUnits turns the prediction of a size model into units.
func ExpectedUnits(prediction float64) float64 { return max(0, math.Expm1(prediction)) }
