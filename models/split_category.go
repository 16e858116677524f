package models

import (
	"cmp"
	"slices"
)

// maxRightCategories bounds the categories a split lists, so that a feature
// of many categories cannot single out its rows (max_cat_threshold).
const maxRightCategories = 64

// categorical orders categories by the weight a leaf of their rows would have
// and tries to send the lowest, or the highest, right: for a convex loss one
// of these is the best of all subsets (Fisher 1958). The bin of all other
// categories goes left.
func (s *search) categorical() {
	feature := s.bins.features[s.current]
	var missing sums
	if feature.missing {
		missing = s.cells[feature.values]
	}
	var order []uint8
	for bin := range feature.values - 1 {
		if s.cells[bin].h > 0 {
			order = append(order, uint8(bin))
		}
	}
	slices.SortStableFunc(order, func(a, b uint8) int {
		return cmp.Compare(s.mean(a), s.mean(b))
	})
	s.prefixes(order, missing)
	slices.Reverse(order)
	s.prefixes(order, missing)
}

func (s *search) mean(bin uint8) float64 {
	return s.cells[bin].g / (s.cells[bin].h + s.penalty.l2)
}

// prefixes tries to send the first categories of an order right.
func (s *search) prefixes(order []uint8, missing sums) {
	var right sums
	best := s.best.gain
	listed := 0
	for i, bin := range order[:min(len(order), maxRightCategories)] {
		right = right.plus(s.cells[bin])
		left := s.node.sum.minus(right)
		if missing.h > 0 {
			s.try(left.minus(missing), right.plus(missing), 0, order, false)
		}
		s.try(left, right, 0, order, missing.h > 0 || left.h >= right.h)
		if s.best.gain > best {
			best, listed = s.best.gain, i+1
		}
	}
	if listed > 0 {
		s.best.categories = slices.Clone(order[:listed])
	}
}
