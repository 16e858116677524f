package models

import (
	"fmt"
	"math"
)

// Beta is beta calibration: with s the model's own probability,
// logit p = A ln s - B ln(1-s) + C and A, B >= 0. A = B = 1, C = 0 changes
// nothing, so unlike Platt scaling it cannot spoil a model that is right.
// Source: Kull, Silva Filho and Flach, AISTATS 2017.
type Beta struct{ A, B, C float64 }

func (Beta) isCalibrator() {}

// Probability implements [Calibrator].
func (b Beta) Probability(margin float32) float64 {
	logS, logRest := logSigmoids(float64(margin))
	return sigmoid(b.A*logS - b.B*logRest + b.C)
}

// String implements [Calibrator].
func (b Beta) String() string { return joinNumbers("beta", b.A, b.B, b.C) }

func parseBeta(numbers []float64) (Beta, error) {
	if len(numbers) != 3 {
		return Beta{}, fmt.Errorf("calibrator beta has %d numbers, want 3", len(numbers))
	}
	b := Beta{A: numbers[0], B: numbers[1], C: numbers[2]}
	const most = 1e6
	if b.A < 0 || b.B < 0 || b.A > most || b.B > most || math.Abs(b.C) > most {
		return Beta{}, fmt.Errorf("calibrator beta has numbers %v, want slopes from 0 and none beyond %v", numbers, most)
	}
	return b, nil
}

// logSigmoids returns ln s(m) and ln(1-s(m)) without cancellation.
func logSigmoids(m float64) (logS, logRest float64) {
	soft := math.Log1p(math.Exp(-math.Abs(m)))
	return math.Min(m, 0) - soft, -math.Max(m, 0) - soft
}

// FitBeta fits [Beta] to margins, labels of 0 and 1, and weights (nil = 1) by
// maximum likelihood. Rows should be ones that the model was not fitted to.
func FitBeta(margins, labels, weights []float32) (Beta, error) {
	if err := checkCalibration(margins, labels, weights); err != nil {
		return Beta{}, err
	}
	x := make([][2]float64, len(margins))
	for i, m := range margins {
		logS, logRest := logSigmoids(float64(m))
		x[i] = [2]float64{logS, -logRest}
	}
	fit := betaFit{x: x, labels: labels, weights: weights}
	best := fit.maximise(true, true)
	if best.A < 0 || best.B < 0 {
		best = fit.onBoundary()
	}
	return best, nil
}
