package models

import "math"

// betaFit is a logistic regression of the label on the two features of beta
// calibration, fitted by Newton's method with step halving.
type betaFit struct {
	x               [][2]float64
	labels, weights []float32
}

const (
	betaNewtonSteps = 50
	betaRidge       = 1e-9 // keeps the Hessian invertible on separable data
	betaTolerance   = 1e-12
)

// maximise fits the free parameters; a slope that is not free stays 0.
func (f betaFit) maximise(freeA, freeB bool) Beta {
	theta := [3]float64{0, 0, 0}
	if freeA {
		theta[0] = 1
	}
	if freeB {
		theta[1] = 1
	}
	loss := f.loss(theta)
	for range betaNewtonSteps {
		step := f.newtonStep(theta, freeA, freeB)
		next, nextLoss, improved := f.halve(theta, step, loss)
		if !improved {
			break
		}
		done := loss-nextLoss <= betaTolerance*math.Abs(loss)
		theta, loss = next, nextLoss
		if done {
			break
		}
	}
	return Beta{A: theta[0], B: theta[1], C: theta[2]}
}

// onBoundary is the best fit with a slope fixed at 0 and the other not below it.
func (f betaFit) onBoundary() Beta {
	best := f.maximise(false, false)
	bestLoss := f.loss([3]float64{best.A, best.B, best.C})
	for _, b := range []Beta{f.maximise(true, false), f.maximise(false, true)} {
		if loss := f.loss([3]float64{b.A, b.B, b.C}); b.A >= 0 && b.B >= 0 && loss < bestLoss {
			best, bestLoss = b, loss
		}
	}
	return best
}

func (f betaFit) margin(theta [3]float64, row int) float64 {
	return theta[0]*f.x[row][0] + theta[1]*f.x[row][1] + theta[2]
}

// loss is the penalised negative log-likelihood.
func (f betaFit) loss(theta [3]float64) float64 {
	total := betaRidge * (theta[0]*theta[0] + theta[1]*theta[1] + theta[2]*theta[2]) / 2
	for i, y := range f.labels {
		logP, logRest := logSigmoids(f.margin(theta, i))
		total -= weightOf(f.weights, i) * (float64(y)*logP + (1-float64(y))*logRest)
	}
	return total
}

func (f betaFit) halve(theta, step [3]float64, loss float64) (next [3]float64, nextLoss float64, improved bool) {
	for size := 1.0; size > 1e-6; size /= 2 {
		for k := range theta {
			next[k] = theta[k] - size*step[k]
		}
		if nextLoss = f.loss(next); nextLoss < loss {
			return next, nextLoss, true
		}
	}
	return theta, loss, false
}

// newtonStep solves Hessian * step = gradient.
func (f betaFit) newtonStep(theta [3]float64, freeA, freeB bool) [3]float64 {
	var gradient [3]float64
	var hessian [3][3]float64
	for i, y := range f.labels {
		p, w := sigmoid(f.margin(theta, i)), weightOf(f.weights, i)
		row := [3]float64{f.x[i][0], f.x[i][1], 1}
		if !freeA {
			row[0] = 0
		}
		if !freeB {
			row[1] = 0
		}
		for j := range row {
			gradient[j] += w * (p - float64(y)) * row[j]
			for k := range row {
				hessian[j][k] += w * p * (1 - p) * row[j] * row[k]
			}
		}
	}
	for k := range theta {
		gradient[k] += betaRidge * theta[k]
		hessian[k][k] += betaRidge
	}
	return solve3(hessian, gradient)
}

// solve3 solves a symmetric positive definite system by Gaussian elimination,
// which needs no pivoting for such a matrix.
func solve3(a [3][3]float64, b [3]float64) [3]float64 {
	for k := range 3 {
		for i := k + 1; i < 3; i++ {
			factor := a[i][k] / a[k][k]
			for j := k; j < 3; j++ {
				a[i][j] -= factor * a[k][j]
			}
			b[i] -= factor * b[k]
		}
	}
	for k := 2; k >= 0; k-- {
		for j := k + 1; j < 3; j++ {
			b[k] -= a[k][j] * b[j]
		}
		b[k] /= a[k][k]
	}
	return b
}
