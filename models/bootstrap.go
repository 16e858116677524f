package models

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// An Interval is an estimate and the middle 95 % of its bootstrap values.
type Interval struct{ Value, Low, High float64 }

// Difference is how much a second model's metrics exceed a first one's on the
// same rows; positive AUC and negative log loss favour the second.
type Difference struct{ AUC, LogLoss Interval }

// PairedBootstrap compares the probabilities a and b that two models give the
// same rows with labels of 0 and 1. Rows are drawn with replacement, the same
// for both models, resamples times (Efron and Tibshirani, An Introduction to
// the Bootstrap, 1993). Rows that depend on one another, such as days of one
// SKU, make the intervals too narrow.
func PairedBootstrap(a, b []float64, labels []float32, resamples int, r *rand.Rand) (Difference, error) {
	switch {
	case len(a) != len(labels) || len(b) != len(labels):
		return Difference{}, fmt.Errorf("compare: %d and %d predictions for %d labels", len(a), len(b), len(labels))
	case resamples < 1:
		return Difference{}, fmt.Errorf("compare: %d resamples, want at least 1", resamples)
	case !slices.Contains(labels, 0) || !slices.Contains(labels, 1):
		return Difference{}, fmt.Errorf("compare: the %d labels are of one class; both are needed", len(labels))
	}
	rankA, rankB := newRanking(a, labels), newRanking(b, labels)
	draws := make([]float64, len(labels))
	var auc, loss []float64
	for range resamples {
		clear(draws)
		for range draws {
			draws[r.IntN(len(draws))]++
		}
		if d := rankB.auc(draws) - rankA.auc(draws); !math.IsNaN(d) { // NaN: only one class drawn
			auc = append(auc, d)
		}
		loss = append(loss, rankB.logLoss(draws)-rankA.logLoss(draws))
	}
	return Difference{
		AUC:     interval(AUC(b, labels, nil)-AUC(a, labels, nil), auc),
		LogLoss: interval(LogLoss(b, labels, nil)-LogLoss(a, labels, nil), loss),
	}, nil
}

// ErrorDifference is how much larger a second model's errors are than a first one's on
// the same rows: below zero favours the second.
type ErrorDifference struct{ RMSE, MAE Interval }

// PairedErrorBootstrap is [PairedBootstrap] for predictions of numbers.
func PairedErrorBootstrap(a, b []float64, labels []float32, resamples int, r *rand.Rand) (ErrorDifference, error) {
	switch {
	case len(a) != len(labels) || len(b) != len(labels):
		return ErrorDifference{}, fmt.Errorf("compare: %d and %d predictions for %d labels", len(a), len(b), len(labels))
	case resamples < 1:
		return ErrorDifference{}, fmt.Errorf("compare: %d resamples, want at least 1", resamples)
	}
	draws := make([]float32, len(labels))
	var rmse, mae []float64
	for range resamples {
		clear(draws)
		for range draws {
			draws[r.IntN(len(draws))]++
		}
		rmse = append(rmse, RMSE(b, labels, draws)-RMSE(a, labels, draws))
		mae = append(mae, MAE(b, labels, draws)-MAE(a, labels, draws))
	}
	return ErrorDifference{
		RMSE: interval(RMSE(b, labels, nil)-RMSE(a, labels, nil), rmse),
		MAE:  interval(MAE(b, labels, nil)-MAE(a, labels, nil), mae),
	}, nil
}

func interval(value float64, resampled []float64) Interval {
	slices.Sort(resampled)
	at := func(q float64) float64 {
		if len(resampled) == 0 {
			return math.NaN()
		}
		return resampled[int(math.Round(q*float64(len(resampled)-1)))]
	}
	return Interval{Value: value, Low: at(0.025), High: at(0.975)}
}

// ranking holds what does not change between resamples of one model.
type ranking struct {
	order  []int // rows by rising score
	newTie []bool
	labels []float32
	losses []float64 // of each row
}

func newRanking(p []float64, labels []float32) ranking {
	k := ranking{order: make([]int, len(p)), newTie: make([]bool, len(p)), labels: labels, losses: make([]float64, len(p))}
	for i := range p {
		k.order[i] = i
		k.losses[i] = LogLoss(p[i:i+1], labels[i:i+1], nil)
	}
	slices.SortStableFunc(k.order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	for rank, row := range k.order {
		k.newTie[rank] = rank > 0 && p[row] != p[k.order[rank-1]]
	}
	return k
}

// auc is AUC with each row counted as often as it was drawn.
func (k *ranking) auc(draws []float64) float64 {
	var pairs, below, negative, positive, positives float64
	for rank, row := range k.order {
		if k.newTie[rank] {
			pairs += positive * (below + negative/2)
			below += negative
			positives += positive
			negative, positive = 0, 0
		}
		if k.labels[row] == 1 {
			positive += draws[row]
		} else {
			negative += draws[row]
		}
	}
	pairs += positive * (below + negative/2)
	return pairs / ((positives + positive) * (below + negative))
}

func (k *ranking) logLoss(draws []float64) float64 { return dot(draws, k.losses) / float64(len(draws)) }
