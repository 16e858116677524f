package models

import "math"

// gradient returns the first and second derivative of the loss of a row with
// label y by its margin. Sources: XGBoost's regression_loss.h and
// regression_obj.cu; poissonStep is its max_delta_step, which keeps the
// Poisson Hessian from vanishing.
func (o Objective) gradient(margin, y float32) (g, h float64) {
	const poissonStep, p = 0.7, TweedieVariancePower
	m, label := float64(margin), float64(y)
	switch o {
	case Logistic:
		p := sigmoid(m)
		return p - label, float64(p * (1 - p))
	case Poisson:
		return math.Exp(m) - label, math.Exp(m + poissonStep)
	case Gamma:
		ratio := label * math.Exp(-m)
		return 1 - ratio, ratio
	case Tweedie:
		a, b := label*math.Exp((1-p)*m), math.Exp((2-p)*m)
		return b - a, float64((2-p)*b) - float64((1-p)*a)
	default:
		return m - label, 1
	}
}

// loss is the mean loss of margins, up to a constant of the labels: negative
// log-likelihood, or half the squared error.
func (o Objective) loss(margins, labels, weights []float32) float64 {
	var total, weight float64
	for i, m := range margins {
		w := weightOf(weights, i)
		total += float64(w * o.rowLoss(float64(m), float64(labels[i])))
		weight += w
	}
	return total / weight
}

func (o Objective) rowLoss(m, y float64) float64 {
	const p = TweedieVariancePower
	switch o {
	case Logistic:
		logP, logRest := logSigmoids(m)
		return -float64(y*logP) - float64((1-y)*logRest)
	case Poisson:
		return math.Exp(m) - float64(y*m)
	case Gamma:
		return float64(y*math.Exp(-m)) + m
	case Tweedie:
		return math.Exp((2-p)*m)/(2-p) - float64(y*math.Exp((1-p)*m))/(1-p)
	default:
		return float64((m-y)*(m-y)) / 2
	}
}
