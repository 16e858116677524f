package models

import (
	"context"
	"fmt"
	"math"
)

// A Regression is logistic regression with an L2 penalty, fitted by Newton's
// method (iteratively reweighted least squares; Hastie, Tibshirani and
// Friedman, The Elements of Statistical Learning, 4.4.1). Numeric columns are
// standardised, a missing value counts as the mean and has an indicator of its
// own; a categorical column has an indicator for each of its most frequent
// categories. It is the simple model that a boosted one must beat.
type Regression struct {
	columns []regressionColumn
	weights []float64 // intercept first, then each column's terms
}

type regressionColumn struct {
	mean, scale float64 // of the values present
	missing     bool    // some training value was missing: there is an indicator
	categories  []int32 // nil when numeric; else one indicator each
}

const (
	regressionCategories = 20 // indicators of one categorical column
	regressionSteps      = 50
)

// FitRegression fits a Logistic dataset with penalty l2 on every weight but
// the intercept, above 0. A cancelled ctx returns its error.
func FitRegression(ctx context.Context, d Dataset, l2 float64) (*Regression, error) {
	if err := d.check(Logistic); err != nil {
		return nil, fmt.Errorf("logistic regression: %w", err)
	}
	if !(l2 > 0) || math.IsInf(l2, 0) {
		return nil, fmt.Errorf("logistic regression: l2 is %v, want a finite number above 0", l2)
	}
	m := &Regression{columns: regressionColumns(d)}
	terms := 1
	for _, c := range m.columns {
		terms += c.terms()
	}
	m.weights = make([]float64, terms)
	loss := m.loss(d, m.weights, l2)
	for step := range regressionSteps {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("logistic regression: stopped in step %d: %w", step+1, err)
		}
		direction, err := m.newton(d, l2)
		if err != nil {
			return nil, fmt.Errorf("logistic regression: step %d: %w", step+1, err)
		}
		next, nextLoss := m.descend(d, l2, direction, loss)
		if !(nextLoss < loss) {
			break
		}
		gained := loss - nextLoss
		m.weights, loss = next, nextLoss
		if gained < 1e-9*math.Abs(loss) {
			break
		}
	}
	return m, nil
}

// descend halves the Newton step until the loss falls.
func (m *Regression) descend(d Dataset, l2 float64, direction []float64, loss float64) (weights []float64, least float64) {
	weights = make([]float64, len(m.weights))
	for step := 1.0; step > 1e-6; step /= 2 {
		for i := range weights {
			weights[i] = m.weights[i] - step*direction[i]
		}
		if least = m.loss(d, weights, l2); least < loss {
			return weights, least
		}
	}
	return m.weights, loss
}

func (m *Regression) loss(d Dataset, weights []float64, l2 float64) float64 {
	sum := 0.0
	terms := make([]float64, len(weights))
	for r := range d.X.Rows {
		m.expand(d.X.Row(r), terms)
		logS, logRest := logSigmoids(dot(weights, terms))
		y := float64(d.Y[r])
		sum -= weightOf(d.Weight, r) * (y*logS + (1-y)*logRest)
	}
	for _, w := range weights[1:] {
		sum += l2 / 2 * w * w
	}
	return sum
}

// newton returns the step: the inverse Hessian times the gradient.
func (m *Regression) newton(d Dataset, l2 float64) ([]float64, error) {
	n := len(m.weights)
	gradient, hessian := make([]float64, n), make([]float64, n*n)
	terms := make([]float64, n)
	for r := range d.X.Rows {
		m.expand(d.X.Row(r), terms)
		p := sigmoid(dot(m.weights, terms))
		w := weightOf(d.Weight, r)
		g, h := w*(p-float64(d.Y[r])), w*p*(1-p)
		for i, x := range terms {
			if x == 0 {
				continue
			}
			gradient[i] += g * x
			row := hessian[i*n : i*n+i+1]
			for j := range row {
				row[j] += h * x * terms[j]
			}
		}
	}
	hessian[0] += 1e-9 // all rows alike leave the intercept undetermined
	for i := 1; i < n; i++ {
		gradient[i] += l2 * m.weights[i]
		hessian[i*n+i] += l2
	}
	return gradient, solve(hessian, gradient)
}

// solve replaces b by the solution x of A x = b, by Cholesky's method; of the
// symmetric A only the lower triangle is read, and it is overwritten.
func solve(a, b []float64) error {
	n := len(b)
	for i := range n {
		for j := range i + 1 {
			sum := a[i*n+j] - dot(a[i*n:i*n+j], a[j*n:j*n+j])
			if i != j {
				a[i*n+j] = sum / a[j*n+j]
				continue
			}
			if !(sum > 0) {
				return fmt.Errorf("the normal equations are not positive definite at term %d", i)
			}
			a[i*n+i] = math.Sqrt(sum)
		}
	}
	for i := range n {
		b[i] = (b[i] - dot(a[i*n:i*n+i], b[:i])) / a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			b[i] -= a[j*n+i] * b[j]
		}
		b[i] /= a[i*n+i]
	}
	return nil
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// Predict is the probability that the label of a row is 1; a row that has not
// one value per column of the dataset is a programming error and panics.
func (m *Regression) Predict(row []float32) float64 {
	checkWidth(len(row), len(m.columns))
	terms := make([]float64, len(m.weights))
	m.expand(row, terms)
	return sigmoid(dot(m.weights, terms))
}

// Coefficients are the intercept and each column's weight in the column's own
// unit: the log odds are linear in them. It panics, as a programming error, when
// the dataset had categories or missing values.
func (m *Regression) Coefficients() (intercept float64, weights []float64) {
	if len(m.weights) != len(m.columns)+1 {
		panic("models: a regression on categories or missing values has no coefficient for each column")
	}
	intercept, weights = m.weights[0], make([]float64, len(m.columns))
	for i, c := range m.columns {
		weights[i] = m.weights[i+1] / c.scale
		intercept -= weights[i] * c.mean
	}
	return intercept, weights
}
