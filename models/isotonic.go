package models

import (
	"cmp"
	"fmt"
	"slices"
)

// Isotonic is the best non-decreasing step function (pool adjacent violators):
// margins of at least Margins[i] and below Margins[i+1] have the observed rate
// Rates[i]. Steps tie rows that the model could tell apart, which costs
// average precision, so one millionth of the model's own probability is mixed
// in to keep its order. Worth it from about 1,000 positives; prefer [Beta].
type Isotonic struct{ Margins, Rates []float64 }

// isotonicTieBreak is the share of the model's own probability that orders
// rows on the same step; far below any calibration error one can measure.
const isotonicTieBreak = 1e-6

func (Isotonic) isCalibrator() {}

// Probability implements [Calibrator].
func (c Isotonic) Probability(margin float32) float64 {
	m := float64(margin)
	step, found := slices.BinarySearch(c.Margins, m)
	if !found {
		step = max(step-1, 0)
	}
	return (1-isotonicTieBreak)*c.Rates[step] + isotonicTieBreak*sigmoid(m)
}

// String implements [Calibrator].
func (c Isotonic) String() string {
	numbers := make([]float64, 0, 2*len(c.Margins))
	for i := range c.Margins {
		numbers = append(numbers, c.Margins[i], c.Rates[i])
	}
	return joinNumbers("isotonic", numbers...)
}

func parseIsotonic(numbers []float64) (Isotonic, error) {
	if len(numbers) == 0 || len(numbers)%2 != 0 {
		return Isotonic{}, fmt.Errorf("calibrator isotonic has %d numbers, want pairs of margin and rate", len(numbers))
	}
	var c Isotonic
	for i := 0; i < len(numbers); i += 2 {
		margin, rate := numbers[i], numbers[i+1]
		if rate < 0 || rate > 1 {
			return Isotonic{}, fmt.Errorf("calibrator isotonic: rate %d is %v, want 0 to 1", i/2+1, rate)
		}
		if i > 0 && (margin <= numbers[i-2] || rate < numbers[i-1]) {
			return Isotonic{}, fmt.Errorf("calibrator isotonic: step %d does not rise", i/2+1)
		}
		c.Margins, c.Rates = append(c.Margins, margin), append(c.Rates, rate)
	}
	return c, nil
}

// FitIsotonic fits [Isotonic] to margins, labels of 0 and 1, and weights
// (nil = 1). Rows should be ones that the model was not fitted to.
func FitIsotonic(margins, labels, weights []float32) (Isotonic, error) {
	if err := checkCalibration(margins, labels, weights); err != nil {
		return Isotonic{}, err
	}
	order := make([]int, len(margins))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(margins[a], margins[b]) })
	var steps []isotonicStep
	for i, row := range order {
		w := weightOf(weights, row)
		next := isotonicStep{from: float64(margins[row]), weight: w, positive: w * float64(labels[row])}
		if i > 0 && margins[row] == margins[order[i-1]] {
			steps[len(steps)-1].merge(next)
		} else {
			steps = append(steps, next)
		}
		if i+1 == len(order) || margins[order[i+1]] != margins[row] {
			steps = poolViolators(steps)
		}
	}
	var c Isotonic
	for _, s := range steps {
		c.Margins, c.Rates = append(c.Margins, s.from), append(c.Rates, s.rate())
	}
	return c, nil
}

type isotonicStep struct{ from, weight, positive float64 }

func (s *isotonicStep) rate() float64 { return s.positive / s.weight }

func (s *isotonicStep) merge(next isotonicStep) {
	s.weight += next.weight
	s.positive += next.positive
}

// poolViolators restores the rise after a step was appended: while the last
// step is no higher than the one before, the two become one.
func poolViolators(steps []isotonicStep) []isotonicStep {
	for n := len(steps); n > 1; n = len(steps) {
		last, before := &steps[n-1], &steps[n-2]
		if last.weight > 0 && before.weight > 0 && last.rate() > before.rate() {
			break
		}
		before.merge(*last)
		steps = steps[:n-1]
	}
	return steps
}
