package models

import (
	"context"
	"math"
	"testing"
)

func TestCoefficientsGiveTheLogOdds(t *testing.T) {
	d := Dataset{X: Matrix{Rows: 6, Cols: 2, Data: []float32{1, 900, 2, 800, 3, 950, 4, 700, 5, 990, 6, 650}}, Y: []float32{0, 0, 1, 0, 1, 1}, Names: []string{"a", "b"}}
	m, err := FitRegression(context.Background(), d, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	intercept, w := m.Coefficients()
	for r := range d.X.Rows {
		row := d.X.Row(r)
		p := m.Predict(row)
		if got, want := intercept+w[0]*float64(row[0])+w[1]*float64(row[1]), math.Log(p/(1-p)); math.Abs(got-want) > 1e-6 {
			t.Errorf("row %v: %v, want %v", row, got, want)
		}
	}
}
