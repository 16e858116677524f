package models

import (
	"cmp"
	"math"
	"slices"
)

// The metrics below take one score and one label (0 or 1) per row, and a
// weight per row or nil for 1. Scores of AUC, average precision, lift and
// capture need only rank; the others take probabilities. Rows with the same
// score are one group: a figure is its mean over all orders of the group, or
// treats the group as one step, as said. Slices of different lengths are a
// programming error and panic.

// tieGroup sums the rows that share a score.
type tieGroup struct{ score, positive, negative float64 }

// tieGroups returns the groups by falling score, and their totals.
func tieGroups(scores []float64, labels, weights []float32) (groups []tieGroup, total tieGroup) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	for rank, row := range order {
		if rank == 0 || scores[row] != scores[order[rank-1]] {
			groups = append(groups, tieGroup{score: scores[row]})
		}
		g, w := &groups[len(groups)-1], float64(weightOf(weights, row))
		g.positive += w * float64(labels[row])
		g.negative += w * (1 - float64(labels[row]))
		total.positive += w * float64(labels[row])
		total.negative += w * (1 - float64(labels[row]))
	}
	return groups, total
}

// AUC is the chance that a positive row scores above a negative one, ties
// counting half; NaN when one class is absent.
func AUC(scores []float64, labels, weights []float32) float64 {
	groups, total := tieGroups(scores, labels, weights)
	var pairs, above float64
	for _, g := range groups {
		pairs += g.negative * (above + g.positive/2)
		above += g.positive
	}
	return pairs / (total.positive * total.negative)
}

// AveragePrecision is the area under the precision-recall steps, a group of
// ties being one step; NaN without positives.
func AveragePrecision(scores []float64, labels, weights []float32) float64 {
	groups, total := tieGroups(scores, labels, weights)
	var area, hits, rows float64
	for _, g := range groups {
		hits += g.positive
		rows += g.positive + g.negative
		if rows > 0 {
			area += g.positive * hits / rows
		}
	}
	return area / total.positive
}

// LogLoss is the mean -ln of the probability given to what happened, with
// probabilities kept 1e-15 from 0 and 1.
func LogLoss(p []float64, labels, weights []float32) float64 {
	return meanOver(p, labels, weights, func(p, y float64) float64 {
		p = min(max(p, 1e-15), 1-1e-15)
		return -y*math.Log(p) - (1-y)*math.Log1p(-p)
	})
}

// Brier is the mean squared difference of probability and outcome.
func Brier(p []float64, labels, weights []float32) float64 {
	return meanOver(p, labels, weights, func(p, y float64) float64 { return (p - y) * (p - y) })
}

// RMSE is the square root of the mean squared difference of predictions and labels,
// which may be any numbers.
func RMSE(predictions []float64, labels, weights []float32) float64 {
	return math.Sqrt(meanOver(predictions, labels, weights, func(p, y float64) float64 { return (p - y) * (p - y) }))
}

// MAE is the mean absolute difference of predictions and labels, which may be any
// numbers.
func MAE(predictions []float64, labels, weights []float32) float64 {
	return meanOver(predictions, labels, weights, func(p, y float64) float64 { return math.Abs(p - y) })
}

func meanOver(p []float64, labels, weights []float32, f func(p, y float64) float64) float64 {
	var sum, total float64
	for i := range p {
		w := float64(weightOf(weights, i))
		sum += w * f(p[i], float64(labels[i]))
		total += w
	}
	return sum / total
}

// ECE is the expected calibration error: rows are cut by probability into bins
// of equal weight, and the distances between a bin's mean probability and its
// rate of positives are averaged. A group of ties is spread evenly over the
// bins that it reaches into, so the order of its rows does not matter.
func ECE(p []float64, labels, weights []float32, bins int) float64 {
	groups, total := tieGroups(p, labels, weights)
	all := total.positive + total.negative
	gaps := make([]float64, bins)
	var before float64
	for _, g := range groups {
		size := g.positive + g.negative
		first, end := before/all*float64(bins), (before+size)/all*float64(bins)
		for bin := int(first); bin < bins && float64(bin) < end; bin++ {
			inside := min(end, float64(bin+1)) - max(first, float64(bin))
			gaps[bin] += inside * (g.score - g.positive/size)
		}
		before += size
	}
	var sum float64
	for _, gap := range gaps {
		sum += math.Abs(gap)
	}
	return sum / float64(bins)
}

// Capture is the share of all positives found in the given share of the rows,
// best first; a group of ties that the share cuts through gives its mean.
func Capture(scores []float64, labels, weights []float32, share float64) float64 {
	groups, total := tieGroups(scores, labels, weights)
	budget := share * (total.positive + total.negative)
	var found float64
	for _, g := range groups {
		size := g.positive + g.negative
		if size >= budget {
			if size > 0 {
				found += g.positive * budget / size
			}
			break
		}
		found += g.positive
		budget -= size
	}
	return found / total.positive
}

// Lift is how many times more positives the given share of the rows holds,
// best first, than a random share of that size.
func Lift(scores []float64, labels, weights []float32, share float64) float64 {
	return Capture(scores, labels, weights, share) / share
}
