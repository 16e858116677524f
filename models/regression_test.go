package models

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// logisticRows draws labels from a known logistic model with an intercept,
// negative values, missing values and a categorical column.
func logisticRows(r *rand.Rand, n int) (Dataset, []float64) {
	d := Dataset{
		X: Matrix{Rows: n, Cols: 3, Data: make([]float32, 3*n)}, Y: make([]float32, n),
		Names: []string{"a", "b", "c"}, Kinds: []Kind{Numeric, Numeric, Categorical},
	}
	truth := make([]float64, n)
	for i := range n {
		a, b, c := r.NormFloat64()*3-5, r.NormFloat64(), r.IntN(3)
		row := d.X.Row(i)
		row[0], row[1], row[2] = float32(a), float32(b), float32(c)
		margin := 0.5*a + 2 - b + []float64{0, 1.5, -1}[c]
		if r.IntN(10) == 0 {
			row[1] = float32(math.NaN())
			margin = 0.5*a + 2 + 1 + []float64{0, 1.5, -1}[c]
		}
		truth[i] = sigmoid(margin)
		if r.Float64() < truth[i] {
			d.Y[i] = 1
		}
	}
	return d, truth
}

func TestRegressionRecoversTheModelThatMadeTheLabels(t *testing.T) {
	d, truth := logisticRows(rand.New(rand.NewPCG(1, 1)), 20000)
	m, err := FitRegression(context.Background(), d, 1e-3)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, p := range truth {
		worst = max(worst, math.Abs(m.Predict(d.X.Row(i))-p))
	}
	if worst > 0.06 {
		t.Errorf("a probability is off by %v", worst)
	}
}

func TestRegressionIsAtTheMinimum(t *testing.T) {
	d, _ := logisticRows(rand.New(rand.NewPCG(2, 1)), 300)
	m, err := FitRegression(context.Background(), d, 0.7)
	if err != nil {
		t.Fatal(err)
	}
	best := m.loss(d, m.weights, 0.7)
	for i := range m.weights {
		for _, by := range []float64{-1e-3, 1e-3} {
			moved := append([]float64{}, m.weights...)
			moved[i] += by
			if loss := m.loss(d, moved, 0.7); loss < best {
				t.Errorf("weight %d: moving it by %v lowers the loss from %v to %v", i, by, best, loss)
			}
		}
	}
}

func TestRegressionOfAwkwardTables(t *testing.T) {
	nan := float32(math.NaN())
	for name, d := range map[string]Dataset{
		"separable":             {X: Matrix{Rows: 4, Cols: 1, Data: []float32{-2, -1, 1, 2}}, Y: []float32{0, 0, 1, 1}},
		"one class":             {X: Matrix{Rows: 3, Cols: 1, Data: []float32{1, 2, 3}}, Y: []float32{1, 1, 1}},
		"constant column":       {X: Matrix{Rows: 3, Cols: 1, Data: []float32{5, 5, 5}}, Y: []float32{1, 0, 1}},
		"all missing":           {X: Matrix{Rows: 3, Cols: 1, Data: []float32{nan, nan, nan}}, Y: []float32{1, 0, 1}},
		"one row":               {X: Matrix{Rows: 1, Cols: 1, Data: []float32{1}}, Y: []float32{1}},
		"two columns the same":  {X: Matrix{Rows: 3, Cols: 2, Data: []float32{1, 1, 2, 2, 3, 3}}, Y: []float32{1, 0, 1}},
		"large and small scale": {X: Matrix{Rows: 4, Cols: 2, Data: []float32{1e9, 1e-9, 2e9, 2e-9, 3e9, 1e-9, 4e9, 2e-9}}, Y: []float32{1, 0, 1, 0}},
	} {
		d.Names = []string{"a", "b"}[:d.X.Cols]
		m, err := FitRegression(context.Background(), d, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := m.Predict(d.X.Row(0)); !(p >= 0 && p <= 1) {
			t.Errorf("%s: probability %v", name, p)
		}
	}
}

func TestRegressionStopsWhenAsked(t *testing.T) {
	d, _ := logisticRows(rand.New(rand.NewPCG(3, 1)), 100)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FitRegression(ctx, d, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if _, err := FitRegression(context.Background(), d, 0); err == nil {
		t.Error("a penalty of 0 is accepted")
	}
}
