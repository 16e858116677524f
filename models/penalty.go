package models

import "math"

// A penalty says what leaf weights cost and what a split must bring, as in
// Chen and Guestrin, XGBoost, KDD 2016, with gains not halved.
type penalty struct {
	l1, l2, minGain, minChildWeight float64
}

// bounds limit the weights in a subtree; monotone splits further up set them.
type bounds struct{ low, high float64 }

var unbounded = bounds{math.Inf(-1), math.Inf(1)}

func (b bounds) clip(weight float64) float64 { return max(b.low, min(b.high, weight)) }

// shrink moves a gradient sum towards 0 by the L1 penalty.
func (p penalty) shrink(g float64) float64 {
	switch {
	case g > p.l1:
		return g - p.l1
	case g < -p.l1:
		return g + p.l1
	}
	return 0
}

// weight is the best weight of a leaf within bounds.
func (p penalty) weight(s sums, b bounds) float64 {
	if s.h <= 0 {
		return b.clip(0)
	}
	return b.clip(-p.shrink(s.g) / (s.h + p.l2))
}

// score is twice the loss that a leaf of the best free weight takes off.
func (p penalty) score(s sums) float64 {
	if s.h <= 0 {
		return 0
	}
	g := p.shrink(s.g)
	return g * g / (s.h + p.l2)
}

// scoreAt is the same for a given weight.
func (p penalty) scoreAt(s sums, weight float64) float64 {
	return -(2*s.g*weight + (s.h+p.l2)*weight*weight + 2*p.l1*math.Abs(weight))
}

// allows reports whether a leaf is heavy enough.
func (p penalty) allows(s sums) bool { return s.h >= p.minChildWeight && s.h > 0 }

// split tightens the bounds for the children of a split on a monotone
// feature: neither subtree may cross the middle of the two weights.
func (b bounds) split(sign int8, left, right float64) (forLeft, forRight bounds) {
	forLeft, forRight = b, b
	middle := (left + right) / 2
	switch {
	case sign > 0:
		forLeft.high, forRight.low = middle, middle
	case sign < 0:
		forLeft.low, forRight.high = middle, middle
	}
	return forLeft, forRight
}
