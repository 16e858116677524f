package training

import (
	"cmp"
	"math"
	"slices"
)

// Shares of the counting budget that are reported.
var shares = []struct {
	name  string
	share float64
}{{"0.01", 0.01}, {"0.05", 0.05}, {"0.10", 0.10}, {"0.20", 0.20}, {"0.50", 0.50}}

// A ranking is rows in the order in which a policy would count them, within
// each period for itself: a budget of ten per cent is ten per cent of every
// month's counts. Rows with the same score share what budget is left.
type ranking struct {
	rows []rankedRow // by period, then best first
}

type rankedRow struct {
	row    int // in the table
	period int
	score  float64
}

func rank(periods []int, scores []float64) ranking {
	r := ranking{rows: make([]rankedRow, len(scores))}
	for i, s := range scores {
		r.rows[i] = rankedRow{i, periods[i], s}
	}
	slices.SortStableFunc(r.rows, func(a, b rankedRow) int {
		return cmp.Or(cmp.Compare(a.period, b.period), cmp.Compare(b.score, a.score))
	})
	return r
}

// captured returns the share of the total amount found by counting the given
// share of each period's rows, best first. Weights are how often each row
// counts, amounts what a row is worth; both are by row of the table.
func (r ranking) captured(share float64, weights, amounts []float64) float64 {
	var found, total float64
	for start := 0; start < len(r.rows); {
		end := start
		var size float64
		for end < len(r.rows) && r.rows[end].period == r.rows[start].period {
			row := r.rows[end].row
			size += weights[row]
			total += weights[row] * amounts[row]
			end++
		}
		found += take(r.rows[start:end], share*size, weights, amounts)
		start = end
	}
	return found / total
}

// take returns the amount found with a budget in one period; a tie that the
// budget cuts through gives its mean.
func take(rows []rankedRow, budget float64, weights, amounts []float64) (found float64) {
	for start := 0; start < len(rows) && budget > 0; {
		end := start
		var size, amount float64
		for end < len(rows) && rows[end].score == rows[start].score {
			w := weights[rows[end].row]
			size += w
			amount += w * amounts[rows[end].row]
			end++
		}
		if size > 0 {
			found += amount * math.Min(1, budget/size)
		}
		budget -= size
		start = end
	}
	return found
}

// auc is the weighted chance that a positive row scores above a negative one,
// ties counting half, over all periods together.
func auc(order []int, scores []float64, positive, weights []float64) float64 {
	var pairs, below, positives, negatives float64
	for start := 0; start < len(order); {
		end := start
		var p, n float64
		for end < len(order) && scores[order[end]] == scores[order[start]] {
			w := weights[order[end]]
			p += w * positive[order[end]]
			n += w * (1 - positive[order[end]])
			end++
		}
		pairs += p * (below + n/2)
		below += n
		positives += p
		negatives += n
		start = end
	}
	return pairs / (positives * negatives)
}

// ascending returns the rows in order of their score.
func ascending(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return order
}
