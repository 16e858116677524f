package models

import (
	"math"
	"slices"
)

const (
	maxValueBins = 255 // so that values and the missing bin fit one byte
	maxCodes     = 256
)

// featureBins says how one feature's values become small integers. Bins 0 to
// values-1 hold values, in order; bin values, if missing, holds NaN.
type featureBins struct {
	kind       Kind
	edges      []float32 // numeric: bin b holds values in [edges[b-1], edges[b])
	categories []int32   // categorical: of each bin but the last, rising; the last bin holds all others
	values     int
	missing    bool
}

// count is the number of bins in use.
func (f featureBins) count() int {
	if f.missing {
		return f.values + 1
	}
	return f.values
}

// threshold is the t for which values of bins 0 to bin, and no others, are
// less than t.
func (f featureBins) threshold(bin int) float32 {
	if bin < len(f.edges) {
		return f.edges[bin]
	}
	return math.MaxFloat32
}

// numericBins cuts the rising points of a column.
func numericBins(points []massPoint, bins int, missing bool) featureBins {
	edges := quantileEdges(points, bins)
	return featureBins{kind: Numeric, edges: edges, values: len(edges) + 1, missing: missing}
}

// categoricalBins gives the heaviest categories a bin each. The rest, and
// categories never seen, share the last one, which every split sends left:
// that is where XGBoost sends a category that a split does not list. It sorts
// points.
func categoricalBins(points []massPoint, bins int, missing bool) featureBins {
	slices.SortStableFunc(points, func(a, b massPoint) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	kept := points[:min(len(points), bins-1)]
	categories := make([]int32, len(kept))
	for i, p := range kept {
		categories[i] = int32(p.value)
	}
	slices.Sort(categories)
	return featureBins{kind: Categorical, categories: categories, values: len(categories) + 1, missing: missing}
}

// A binSearch is a binning in the form that is fast to look up.
type binSearch struct {
	keys    [maxCodes]uint32 // ordered bits of the edges, then the largest key
	step    int              // half of the smallest power of two above the number of edges
	missing int
}

func newBinSearch(f featureBins) *binSearch {
	s := &binSearch{step: 1, missing: f.values}
	for i := range s.keys {
		s.keys[i] = math.MaxUint32
	}
	for i, edge := range f.edges {
		s.keys[i] = orderedBits(edge)
	}
	for 2*s.step <= len(f.edges) {
		s.step *= 2
	}
	return s
}

// numeric returns the number of edges that are at most v.
func (s *binSearch) numeric(v float32) int {
	if v != v { // NaN
		return s.missing
	}
	key, bin := uint64(orderedBits(v)), 0
	for step := s.step; step > 0; step >>= 1 {
		// A branch would be guessed wrong half of the time: borrow is 1 if the
		// key is below the edge.
		borrow := (key - uint64(s.keys[(bin+step-1)&(maxCodes-1)])) >> 63
		bin += step & (int(borrow) - 1)
	}
	return bin
}

// categorical returns the bin of category v.
func (f featureBins) categorical(v float32) int {
	if v != v { // NaN
		return f.values
	}
	if bin, found := slices.BinarySearch(f.categories, int32(v)); found {
		return bin
	}
	return f.values - 1
}
