package models

import (
	"math"
	"testing"
)

// Oracle: differences of the loss that is reported.

func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	const step = 1e-5
	for _, o := range []Objective{Logistic, SquaredError, Poisson, Gamma, Tweedie} {
		for _, margin := range []float64{-2, -0.3, 0, 0.7, 2.5} {
			for _, label := range []float64{0, 1, 3.5} {
				if o.checkLabel(float32(label)) != nil {
					continue
				}
				g, h := o.gradient(float32(margin), float32(label))
				m := float64(float32(margin))
				up, at, down := o.rowLoss(m+step, label), o.rowLoss(m, label), o.rowLoss(m-step, label)
				if want := (up - down) / (2 * step); math.Abs(g-want) > 1e-6*(1+math.Abs(want)) {
					t.Errorf("%s margin %v label %v: gradient %v, want %v", o, margin, label, g, want)
				}
				want := (up - 2*at + down) / (step * step)
				if o == Poisson {
					want *= math.Exp(0.7) // XGBoost's max_delta_step
				}
				if math.Abs(h-want) > 1e-3*(1+math.Abs(want)) {
					t.Errorf("%s margin %v label %v: Hessian %v, want %v", o, margin, label, h, want)
				}
			}
		}
	}
}

func TestMarginIsTheInverseOfPrediction(t *testing.T) {
	for _, o := range []Objective{Logistic, SquaredError, Poisson, Gamma, Tweedie} {
		for _, p := range []float32{0.001, 0.3, 0.5, 0.97} {
			if got := o.Prediction(o.Margin(p)); math.Abs(got-float64(p)) > 1e-6 {
				t.Errorf("%s: prediction of the margin of %v is %v", o, p, got)
			}
		}
	}
}
