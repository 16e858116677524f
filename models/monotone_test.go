package models

import (
	"math"
	"testing"
)

// Oracle: the model's own answers along a column, everything else held.

func TestMonotoneColumnsNeverTurn(t *testing.T) {
	d := synthetic(4000, 6)
	signs := make([]int8, d.X.Cols)
	signs[0], signs[4], signs[5] = -1, 1, 1 // against, across and with the truth
	for name, leaves := range map[string]int{"level by level": 0, "leaf by leaf": 40} {
		for _, o := range []Objective{Logistic, SquaredError} {
			m := fit(t, d, func(p *Params) {
				p.Monotone, p.Leaves, p.Objective, p.MinChildWeight = signs, leaves, o, 0
			})
			for c, sign := range signs {
				if sign == 0 {
					continue
				}
				for r := range 40 {
					row := append([]float32(nil), d.X.Row(r)...)
					last := float32(math.Inf(-int(sign)))
					for v := float32(-5); v < 35; v += 0.25 {
						row[c] = v
						if got := m.Margin(row); (got-last)*float32(sign) < -1e-6 {
							t.Fatalf("%s, %s, column %d, row %d: margin turns from %v to %v at %v", name, o, c, r, last, got, v)
						} else {
							last = got
						}
					}
				}
			}
		}
	}
}

func TestMonotoneHelpsWhereItIsTrueAndDoesNotStopLearning(t *testing.T) {
	train, later := synthetic(4000, 6), synthetic(20000, 7)
	signs := make([]int8, train.X.Cols)
	signs[0], signs[5] = 1, 1
	free := fit(t, train, nil)
	bound := fit(t, train, func(p *Params) { p.Monotone = signs })
	f, b := free.Objective.loss(margins(free, later.X), later.Y, nil), bound.Objective.loss(margins(bound, later.X), later.Y, nil)
	if b > f*1.005 {
		t.Errorf("loss %v with true constraints, %v without", b, f)
	}
}
