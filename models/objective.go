package models

import (
	"fmt"
	"math"
)

// An Objective is the loss a model minimises, named as XGBoost names it. It
// fixes the link between the margin (the sum of leaves) and the prediction.
type Objective string

// The objectives this package can fit. Logistic wants labels 0 or 1 and
// predicts a probability; the last three predict a mean through a log link:
// Poisson and Tweedie want labels of at least 0, Gamma labels above 0.
const (
	Logistic     Objective = "binary:logistic"
	SquaredError Objective = "reg:squarederror"
	Poisson      Objective = "count:poisson"
	Gamma        Objective = "reg:gamma"
	Tweedie      Objective = "reg:tweedie"
)

// TweedieVariancePower is the p of the Tweedie variance mean^p, XGBoost's
// default: half way between Poisson (1) and gamma (2).
const TweedieVariancePower = 1.5

// Known reports whether o is one of the objectives of this package.
func (o Objective) Known() bool {
	switch o {
	case Logistic, SquaredError, Poisson, Gamma, Tweedie:
		return true
	default:
		return false
	}
}

// Prediction maps a margin to the unit of the label: a probability for
// [Logistic], a mean for the others.
func (o Objective) Prediction(margin float32) float64 {
	switch o {
	case Logistic:
		return sigmoid(float64(margin))
	case Poisson, Gamma, Tweedie:
		return math.Exp(float64(margin))
	default:
		return float64(margin)
	}
}

// Margin is the inverse of [Objective.Prediction], rounded as XGBoost rounds
// its base score: Logistic wants 0 < prediction < 1, the log links > 0.
func (o Objective) Margin(prediction float32) float32 {
	switch o {
	case Logistic:
		return float32(-math.Log(float64(1/prediction - 1)))
	case Poisson, Gamma, Tweedie:
		return float32(math.Log(float64(prediction)))
	default:
		return prediction
	}
}

// checkLabel refuses a label that the objective has no likelihood for.
func (o Objective) checkLabel(y float32) error {
	switch {
	case math.IsNaN(float64(y)) || math.IsInf(float64(y), 0):
		return fmt.Errorf("label is %v, want a finite number", y)
	case o == Logistic && y != 0 && y != 1:
		return fmt.Errorf("label is %v, %s wants 0 or 1", y, o)
	case o == Gamma && y <= 0:
		return fmt.Errorf("label is %v, %s wants labels above 0", y, o)
	case (o == Poisson || o == Tweedie) && y < 0:
		return fmt.Errorf("label is %v, %s wants labels of at least 0", y, o)
	}
	return nil
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
