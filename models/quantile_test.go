package models

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Oracles: the order of floats, the standard library's sort, and counting.

func TestOrderedBitsSortLikeFloats(t *testing.T) {
	values := []float32{
		-math.MaxFloat32, -1e10, -1, -math.SmallestNonzeroFloat32, 0,
		math.SmallestNonzeroFloat32, 0.5, 1, 1e10, math.MaxFloat32,
	}
	for i, v := range values {
		if got := fromOrderedBits(orderedBits(v)); got != v {
			t.Errorf("%v comes back as %v", v, got)
		}
		if i > 0 && orderedBits(values[i-1]) >= orderedBits(v) {
			t.Errorf("%v does not sort before %v", values[i-1], v)
		}
	}
	if orderedBits(float32(math.Copysign(0, -1))) != orderedBits(0) {
		t.Error("the two zeros differ")
	}
}

func TestRadixSortSorts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 1000} {
		values := make([]weightedValue, n)
		for i := range values {
			values[i] = newWeightedValue(float32(math.Round(random.NormFloat64()*100)), random.Float32())
		}
		want := slices.Clone(values)
		slices.SortStableFunc(want, func(a, b weightedValue) int { return int(int64(a.key()) - int64(b.key())) })
		if diff := cmp.Diff(want, radixSort(values, make([]weightedValue, n))); diff != "" {
			t.Errorf("%d values (-want +got):\n%s", n, diff)
		}
	}
}

func TestEachDistinctValueHasItsBinWhenThereAreEnough(t *testing.T) {
	points := []massPoint{{-3, 1}, {0, 1e6}, {0.1, 1}, {7, 2}}
	if diff := cmp.Diff([]float32{-1.5, 0.05, 3.55}, quantileEdges(points, 4)); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestQuantileBinsWeighAboutTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var points []massPoint
	total := 0.0
	for i := range 10000 {
		w := random.Float64()
		points = append(points, massPoint{float32(i), w})
		total += w
	}
	edges := quantileEdges(points, 50)
	if len(edges) != 49 {
		t.Fatalf("%d edges, want 49", len(edges))
	}
	bins := make([]float64, 50)
	for _, p := range points {
		at, _ := slices.BinarySearchFunc(edges, p.value, func(edge, v float32) int {
			if edge <= v {
				return -1
			}
			return 1
		})
		bins[at] += p.weight
	}
	for b, w := range bins {
		if w < total/50*0.95 || w > total/50*1.05 {
			t.Errorf("bin %d weighs %.1f, want about %.1f", b, w, total/50)
		}
	}
}

func TestHeavyValueStandsAloneAndOthersShareTheRest(t *testing.T) {
	points := make([]massPoint, 1000)
	for i := range points {
		points[i] = massPoint{float32(i), 1}
	}
	points[500].weight = 1e6
	edges := quantileEdges(points, 10)
	if len(edges) != 9 {
		t.Fatalf("%d edges, want 9", len(edges))
	}
	if !slices.Contains(edges, 499.5) || !slices.Contains(edges, 500.5) {
		t.Errorf("edges %v do not set 500 apart", edges)
	}
}

func TestBetweenSeparatesNeighbours(t *testing.T) {
	for _, pair := range [][2]float32{
		{0, math.SmallestNonzeroFloat32}, {1, math.Nextafter32(1, 2)}, {-math.MaxFloat32, math.MaxFloat32}, {-1, 3},
	} {
		if middle := between(pair[0], pair[1]); !(pair[0] < middle && middle <= pair[1]) {
			t.Errorf("between(%v, %v) = %v", pair[0], pair[1], middle)
		}
	}
}
