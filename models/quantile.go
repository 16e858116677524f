package models

import "math"

// A weighted value is a float32 in an integer that sorts like it, with its
// weight in the low half.
type weightedValue uint64

func newWeightedValue(v, weight float32) weightedValue {
	return weightedValue(uint64(orderedBits(v))<<32 | uint64(math.Float32bits(weight)))
}

func (v weightedValue) key() uint32     { return uint32(v >> 32) }
func (v weightedValue) weight() float64 { return float64(math.Float32frombits(uint32(v))) }

// orderedBits maps finite floats to integers of the same order; both zeros
// become one.
func orderedBits(v float32) uint32 {
	bits := math.Float32bits(v + 0)
	return bits ^ (uint32(int32(bits)>>31) | 1<<31)
}

func fromOrderedBits(key uint32) float32 {
	return math.Float32frombits(key ^ (uint32(int32(^key)>>31) | 1<<31))
}

// radixSort sorts by key with scratch of the same length and returns the
// sorted slice, which is one of the two.
func radixSort(values, scratch []weightedValue) []weightedValue {
	const digitBits = 11
	for shift := 32; shift < 64; shift += digitBits {
		var starts [1 << digitBits]int
		for _, v := range values {
			starts[uint64(v)>>shift&(1<<digitBits-1)]++
		}
		at := 0
		for digit, count := range starts {
			starts[digit] = at
			at += count
		}
		for _, v := range values {
			digit := uint64(v) >> shift & (1<<digitBits - 1)
			scratch[starts[digit]] = v
			starts[digit]++
		}
		values, scratch = scratch, values
	}
	return values
}

// A massPoint is a distinct value with the weight of the rows that have it.
type massPoint struct {
	value  float32
	weight float64
}

// massPoints appends the points of a sorted column, equal neighbours merged.
func massPoints(points []massPoint, sorted []weightedValue) []massPoint {
	for i, v := range sorted {
		if i == 0 || v.key() != sorted[i-1].key() {
			points = append(points, massPoint{value: fromOrderedBits(v.key())})
		}
		points[len(points)-1].weight += v.weight()
	}
	return points
}

// quantileEdges cuts rising points into at most bins groups of about equal
// weight and returns the edges between them: group b holds the values in
// [edges[b-1], edges[b]). A point heavier than a fair share has its own group
// and the others share what is left, as in LightGBM.
func quantileEdges(points []massPoint, bins int) []float32 {
	var edges []float32
	if len(points) <= bins {
		for i := 1; i < len(points); i++ {
			edges = append(edges, between(points[i-1].value, points[i].value))
		}
		return edges
	}
	share := newFairShare(points, bins)
	group := 0.0
	for i, p := range points[:len(points)-1] {
		group += p.weight
		if share.closes(group, p.weight, points[i+1].weight) {
			edges = append(edges, between(p.value, points[i+1].value))
			share.close(group, p.weight)
			group = 0
		}
		if len(edges) == bins-1 {
			break
		}
	}
	return edges
}

// fairShare is what a group should weigh: heavy points set aside, the weight
// left over the groups left.
type fairShare struct {
	heavy  float64 // a point of this weight stands alone
	weight float64 // not yet grouped, without heavy points
	groups int     // not yet closed, without those of heavy points
}

func newFairShare(points []massPoint, bins int) *fairShare {
	s := &fairShare{groups: bins}
	for _, p := range points {
		s.weight += p.weight
	}
	s.heavy = s.weight / float64(bins)
	for _, p := range points {
		if p.weight >= s.heavy {
			s.weight -= p.weight
			s.groups--
		}
	}
	return s
}

func (s *fairShare) closes(group, last, next float64) bool {
	share := s.weight / float64(max(s.groups, 1))
	return last >= s.heavy || group >= share || (next >= s.heavy && group >= share/2)
}

func (s *fairShare) close(group, last float64) {
	if last >= s.heavy {
		s.weight -= group - last
		return
	}
	s.weight -= group
	s.groups--
}

// between returns a threshold t with a < t <= b, half way where floats allow.
func between(a, b float32) float32 {
	if middle := a/2 + b/2; middle > a && middle <= b {
		return middle
	}
	return b
}
