package models

import (
	"cmp"
	"slices"
)

// A Reason is a group of features that pushes a margin up.
type Reason struct {
	Group        int
	Contribution float64 // summed over the group, in units of the margin
	Feature      int     // the group's largest contribution: its value is what to show
}

// GroupReasons sums contributions, as [Explainer.Explain] gives them, by group
// and returns the at most k groups that raise the margin, strongest first.
// groups[f] is the group of feature f, from 0; -1 leaves the feature out.
func GroupReasons(contributions []float64, groups []int, k int) []Reason {
	var sums []Reason
	for f, phi := range contributions {
		g := groups[f]
		for len(sums) <= g {
			sums = append(sums, Reason{Group: len(sums), Feature: -1})
		}
		if g < 0 {
			continue
		}
		sum := &sums[g]
		sum.Contribution += phi
		if sum.Feature < 0 || phi > contributions[sum.Feature] {
			sum.Feature = f
		}
	}
	raising := slices.DeleteFunc(sums, func(r Reason) bool { return !(r.Contribution > 0) })
	slices.SortStableFunc(raising, func(a, b Reason) int { return cmp.Compare(b.Contribution, a.Contribution) })
	return raising[:min(k, len(raising))]
}
