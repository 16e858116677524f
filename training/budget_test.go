package training

// Oracles: every order of tied rows, and every pair of rows.

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// takeInOrder finds what a whole-number budget finds when rows are taken in a
// given order, period by period.
func takeInOrder(order []int, periods []int, share float64, amounts []float64) (found float64) {
	left := map[int]float64{}
	for _, p := range periods {
		left[p] += share
	}
	for _, row := range order {
		part := math.Min(1, left[periods[row]])
		found += part * amounts[row]
		left[periods[row]] -= part
	}
	return found
}

func TestCapturedIsTheMeanOverTheOrdersOfTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		n := 12
		periods, scores, amounts, weights := make([]int, n), make([]float64, n), make([]float64, n), make([]float64, n)
		var total float64
		for i := range n {
			periods[i], scores[i], amounts[i], weights[i] = i%2, float64(rng.IntN(3)), float64(rng.IntN(5)), 1
			total += amounts[i]
		}
		amounts[0]++
		total++
		share := 0.5
		got := rank(periods, scores).captured(share, weights, amounts)

		const orders = 20_000
		var sum float64
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		for range orders {
			rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
			sorted := slices.Clone(order)
			slices.SortStableFunc(sorted, func(a, b int) int {
				switch {
				case scores[a] > scores[b]:
					return -1
				case scores[a] < scores[b]:
					return 1
				}
				return 0
			})
			sum += takeInOrder(sorted, periods, share, amounts) / total
		}
		if want := sum / orders; math.Abs(got-want) > 0.02 {
			t.Errorf("captured %.4f, the mean over orders is %.4f", got, want)
		}
	}
}

func TestWeightsAreRepetitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var periods, periods2 []int
	var scores, scores2, amounts, amounts2, weights, ones []float64
	for i := range 200 {
		p, s, a, w := i%3, float64(rng.IntN(20)), float64(rng.IntN(2)), float64(rng.IntN(4))
		periods, scores, amounts, weights = append(periods, p), append(scores, s), append(amounts, a), append(weights, w)
		for range int(w) {
			periods2, scores2, amounts2, ones = append(periods2, p), append(scores2, s), append(amounts2, a), append(ones, 1)
		}
	}
	for _, s := range shares {
		got := rank(periods, scores).captured(s.share, weights, amounts)
		want := rank(periods2, scores2).captured(s.share, ones, amounts2)
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("at %s: %v with weights, %v with rows repeated", s.name, got, want)
		}
	}
	got, want := auc(ascending(scores), scores, amounts, weights), auc(ascending(scores2), scores2, amounts2, ones)
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("AUC %v with weights, %v with rows repeated", got, want)
	}
}

func TestRandomFindsItsShare(t *testing.T) {
	periods, amounts, ones := make([]int, 100), make([]float64, 100), make([]float64, 100)
	for i := range periods {
		periods[i], ones[i] = i%7, 1
		if i%9 == 0 {
			amounts[i] = float64(i)
		}
	}
	r := rank(periods, make([]float64, 100))
	for _, s := range shares {
		if got := r.captured(s.share, ones, amounts); math.Abs(got-s.share) > 0.02 {
			t.Errorf("a policy without scores finds %v of it at a share of %v", got, s.share)
		}
	}
}
