package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Oracle: the threshold a split would publish. A value is in a bin up to b
// exactly when it is less than threshold(b).

func TestBinsAgreeWithThresholds(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, edges := range []int{0, 1, 2, 3, 7, 8, 100, 127, 128, 253, 254} {
		var points []massPoint
		for i := range edges + 1 {
			points = append(points, massPoint{float32(i) + random.Float32()/2, 1})
		}
		f := numericBins(points, maxValueBins, true)
		search := newBinSearch(f)
		values := []float32{-math.MaxFloat32, 0, float32(math.Copysign(0, -1)), 1e30}
		for _, edge := range f.edges {
			values = append(values, edge, math.Nextafter32(edge, -1e9), math.Nextafter32(edge, 1e9))
		}
		for _, v := range values {
			bin := search.numeric(v)
			for b := range f.values {
				if got, want := v < f.threshold(b), bin <= b; got != want {
					t.Fatalf("%d edges: value %v is in bin %d, but less than threshold %d is %v", edges, v, bin, b, got)
				}
			}
		}
		if got := search.numeric(float32(math.NaN())); got != f.values {
			t.Errorf("%d edges: missing is in bin %d, want %d", edges, got, f.values)
		}
	}
}

func TestHeaviestCategoriesHaveTheirOwnBin(t *testing.T) {
	f := categoricalBins([]massPoint{{1, 5}, {4, 1}, {9, 7}, {12, 5}}, 4, true)
	if diff := cmp.Diff([]int32{1, 9, 12}, f.categories); diff != "" {
		t.Errorf("categories (-want +got):\n%s", diff)
	}
	got := []int{}
	for _, v := range []float32{1, 9, 12, 4, 1000, float32(math.NaN())} {
		got = append(got, f.categorical(v))
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 3, 4}, got); diff != "" {
		t.Errorf("bins (-want +got):\n%s", diff)
	}
}
