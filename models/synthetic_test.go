package models

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// synthetic is a table of several kinds of column, with missing values, whose
// label depends on some of them.
func synthetic(rows int, seed uint64) Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	const cols = 8
	d := Dataset{X: Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}, Y: make([]float32, rows)}
	for c := range cols {
		d.Names = append(d.Names, fmt.Sprintf("x%d", c))
	}
	for r := range rows {
		x := d.X.Row(r)
		x[0] = float32(random.NormFloat64())
		x[1] = float32(math.Exp(random.NormFloat64()))
		x[2] = float32(random.IntN(2))
		x[3] = float32(random.IntN(5))
		x[4] = float32(random.NormFloat64())
		x[5] = float32(random.IntN(30))
		x[6] = float32(random.IntN(3))
		x[7] = float32(random.Float64())
		score := float64(x[0]) + float64(x[2]*x[3])/2 - math.Abs(float64(x[4])) + 0.05*float64(x[5])
		if random.Float64() < 0.1 {
			x[1] = float32(math.NaN())
			score++
		}
		if random.Float64() < sigmoid(score-2) {
			d.Y[r] = 1
		}
	}
	return d
}
