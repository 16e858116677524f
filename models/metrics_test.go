package models

// Oracles: every pair of rows, every order of tied rows, and definitions
// written out row by row.

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomScores(rng *rand.Rand, n, distinct int) (scores []float64, labels []float32) {
	for range n {
		scores = append(scores, float64(rng.IntN(distinct))/float64(distinct))
		labels = append(labels, float32(rng.IntN(2)))
	}
	labels[0], labels[1] = 0, 1
	return scores, labels
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*(1+math.Abs(want)) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestAUCCountsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		s, y := randomScores(rng, 2+rng.IntN(30), 1+rng.IntN(9))
		var wins, pairs float64
		for i := range s {
			for j := range s {
				if y[i] == 1 && y[j] == 0 {
					pairs++
					switch {
					case s[i] > s[j]:
						wins++
					case s[i] == s[j]:
						wins += 0.5
					}
				}
			}
		}
		near(t, "AUC", AUC(s, y, nil), wins/pairs)
	}
}

// A weight of two is the row twice.
func TestWeightsRepeatRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		s, y := randomScores(rng, 2+rng.IntN(20), 6)
		w := make([]float32, len(s))
		var s2 []float64
		var y2 []float32
		for i := range s {
			w[i] = float32(1 + rng.IntN(3))
			for range int(w[i]) {
				s2, y2 = append(s2, s[i]), append(y2, y[i])
			}
		}
		near(t, "AUC", AUC(s, y, w), AUC(s2, y2, nil))
		near(t, "average precision", AveragePrecision(s, y, w), AveragePrecision(s2, y2, nil))
		near(t, "log loss", LogLoss(s, y, w), LogLoss(s2, y2, nil))
		near(t, "Brier", Brier(s, y, w), Brier(s2, y2, nil))
		near(t, "capture", Capture(s, y, w, 0.3), Capture(s2, y2, nil, 0.3))
	}
}

// Where nothing is tied, a figure is a walk down the list.
func TestRankedLists(t *testing.T) {
	scores := []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0}
	labels := []float32{1, 0, 1, 1, 0, 0, 0, 1, 0, 0}
	near(t, "average precision", AveragePrecision(scores, labels, nil), (1.0/1+2.0/3+3.0/4+4.0/8)/4)
	near(t, "capture of 40 %", Capture(scores, labels, nil, 0.4), 3.0/4)
	near(t, "capture of 35 %", Capture(scores, labels, nil, 0.35), 2.5/4)
	near(t, "lift at 40 %", Lift(scores, labels, nil, 0.4), 3.0/4/0.4)
	near(t, "capture of all", Capture(scores, labels, nil, 1), 1)
	flat := make([]float64, 10)
	near(t, "lift of no ranking", Lift(flat, labels, nil, 0.25), 1)
	near(t, "AUC of no ranking", AUC(flat, labels, nil), 0.5)
}

func TestProbabilities(t *testing.T) {
	p := []float64{0.1, 0.2, 0.8, 0.6}
	y := []float32{0, 1, 1, 0}
	near(t, "log loss", LogLoss(p, y, nil), -(math.Log(0.9)+math.Log(0.2)+math.Log(0.8)+math.Log(0.4))/4)
	near(t, "Brier", Brier(p, y, nil), (0.01+0.64+0.04+0.36)/4)
	near(t, "ECE in two bins", ECE(p, y, nil, 2), (math.Abs(0.3-1)+math.Abs(1.4-1))/4)
	near(t, "ECE in one bin", ECE(p, y, nil, 1), math.Abs(1.7-2)/4)
	if got := LogLoss([]float64{0}, []float32{1}, nil); math.IsInf(got, 0) {
		t.Error("log loss of a sure miss is infinite")
	}
}

// The gap of a bin is averaged over many orders of the tied rows.
func TestECEDoesNotDependOnTheOrderOfTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		const rows, bins, orders = 12, 4, 4000
		p, y := randomScores(rng, rows, 3)
		gaps := make([]float64, bins)
		for range orders {
			order := rng.Perm(rows)
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
			for at, row := range order {
				gaps[at*bins/rows] += (p[row] - float64(y[row])) / orders
			}
		}
		var want float64
		for _, gap := range gaps {
			want += math.Abs(gap) / rows
		}
		if got := ECE(p, y, nil, bins); math.Abs(got-want) > 0.02 {
			t.Errorf("ECE is %v, %v over many orders", got, want)
		}
	}
}

func TestErrorsOfNumbers(t *testing.T) {
	p, y := []float64{1, 5, -2}, []float32{2, 2, -2}
	near(t, "RMSE", RMSE(p, y, nil), math.Sqrt(10.0/3))
	near(t, "MAE", MAE(p, y, nil), 4.0/3)
	near(t, "weighted RMSE", RMSE(p, y, []float32{1, 0, 1}), math.Sqrt(0.5))
}
