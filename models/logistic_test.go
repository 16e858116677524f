package models

import (
	"math"
	"testing"
)

func TestLogisticIsTheSigmoid(t *testing.T) {
	var margins []float32
	for m := -800.0; m <= 800; m += 0.0137 {
		margins = append(margins, float32(m))
	}
	margins = append(margins, 0, math.MaxFloat32, -math.MaxFloat32)
	p := make([]float64, len(margins))
	logistic(p, margins)
	for i, m := range margins {
		want := sigmoid(float64(m))
		if math.Abs(p[i]-want) > 1e-9*want+1e-300 {
			t.Fatalf("logistic(%v) = %v, want %v", m, p[i], want)
		}
	}
}
