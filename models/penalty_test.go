package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Oracle: the penalised loss itself, minimised by ternary search.

func penalisedLoss(p penalty, s sums, weight float64) float64 {
	return s.g*weight + (s.h+p.l2)*weight*weight/2 + p.l1*math.Abs(weight)
}

func bestWeight(p penalty, s sums, b bounds) float64 {
	low, high := max(b.low, -1e3), min(b.high, 1e3)
	for high-low > 1e-9 {
		third := (high - low) / 3
		if penalisedLoss(p, s, low+third) < penalisedLoss(p, s, high-third) {
			high -= third
		} else {
			low += third
		}
	}
	return (low + high) / 2
}

func TestLeafWeightMinimisesThePenalisedLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(27, 28))
	for range 500 {
		p := penalty{l1: 4 * random.Float64(), l2: 3 * random.Float64()}
		s := sums{g: 10 * random.NormFloat64(), h: 0.1 + 20*random.Float64()}
		b := unbounded
		if random.IntN(2) == 0 {
			b.low = random.NormFloat64()
			b.high = b.low + random.Float64()
		}
		want := bestWeight(p, s, b)
		got := p.weight(s, b)
		if math.Abs(got-want) > 1e-5 {
			t.Fatalf("%+v, %+v, %+v: weight %v, best is %v", p, s, b, got, want)
		}
		score := p.scoreAt(s, got)
		if b == unbounded {
			score = p.score(s)
		}
		if saved := -2 * penalisedLoss(p, s, want); math.Abs(score-saved) > 1e-6 {
			t.Fatalf("%+v, %+v, %+v: score %v, the best weight saves %v", p, s, b, score, saved)
		}
	}
}
