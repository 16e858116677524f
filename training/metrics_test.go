package training

import (
	"math"
	"testing"
)

func TestIntervalsAreNumbersOrAbsent(t *testing.T) {
	for _, c := range []struct {
		name     string
		clusters []int
		positive []float64
		want     int // metrics with an interval
	}{
		{"one site", []int{0, 0, 0, 0}, []float64{1, 0, 0, 1}, 0},
		{"outcomes at every site", []int{0, 0, 1, 1}, []float64{1, 0, 0, 1}, 1 + len(shares)},
		{"an outcome at one site of two", []int{0, 0, 1, 1}, []float64{1, 0, 0, 0}, 1 + len(shares)},
		{"an outcome at one site of eight", []int{0, 0, 1, 2, 3, 4, 5, 6, 7}, []float64{1, 0, 0, 0, 0, 0, 0, 0, 0}, 1 + len(shares)},
	} {
		n := len(c.clusters)
		j := &judge{periods: make([]int, n), positive: c.positive, clusters: c.clusters, weights: make([]float64, n)}
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = float64(n - i)
		}
		got := j.intervals(scores, 1)
		if len(got) != c.want {
			t.Errorf("%s: %d intervals, want %d", c.name, len(got), c.want)
		}
		for name, i := range got {
			if math.IsNaN(i[0]) || math.IsNaN(i[1]) || i[0] > i[1] {
				t.Errorf("%s: %s is between %v and %v", c.name, name, i[0], i[1])
			}
		}
	}
}
