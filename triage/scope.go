package triage

import (
	"math"
	"slices"
	"sort"
)

// strayLimit is the [Verdict.Stray] above which a text counts as out of scope:
// one in twenty texts in scope is given to a human for it.
const strayLimit = 0.95

// signals say how familiar a text is; of all of them more is more familiar.
type signals struct {
	best   float64 // greatest score of a class in scope
	margin float64 // its distance to the next
	known  float64 // share of the text's n-grams that the vocabulary has
	inside float64 // best less the score of the out-of-scope class, 0 without one
}

func signalsOf(scores []float32, known float64, outOfScope int) signals {
	best, next := math.Inf(-1), math.Inf(-1)
	for c, s := range scores {
		if c == outOfScope {
			continue
		}
		if x := float64(s); x > best {
			best, next = x, best
		} else if x > next {
			next = x
		}
	}
	out := signals{best: best, margin: best - next, known: known}
	if outOfScope >= 0 {
		out.inside = best - float64(scores[outOfScope])
	}
	return out
}

func (s signals) values() [4]float64 { return [4]float64{s.best, s.margin, s.known, s.inside} }

// scope scores how strange a text is: a weighted sum of its signals, measured
// in standard deviations of texts in scope, and where that sum lies among them.
type scope struct {
	mean, weight [4]float64
	quantiles    []float64 // rising scores of held-out texts in scope
}

// fitScope learns what texts in scope look like. The weights are fixed ones, of
// which the last matters only where there is an out-of-scope class.
func fitScope(in []signals) scope {
	var s scope
	weights := [4]float64{1, 0.5, 0.5, 1}
	for k := range s.mean {
		var sum, squares float64
		for _, x := range in {
			sum += x.values()[k]
		}
		s.mean[k] = sum / float64(len(in))
		for _, x := range in {
			d := x.values()[k] - s.mean[k]
			squares += d * d
		}
		if deviation := math.Sqrt(squares / float64(len(in))); deviation > 1e-9 {
			s.weight[k] = -weights[k] / deviation
		}
	}
	scores := make([]float64, len(in))
	for i, x := range in {
		scores[i] = s.score(x)
	}
	slices.Sort(scores)
	s.quantiles = make([]float64, 201)
	for q := range s.quantiles {
		s.quantiles[q] = scores[q*(len(scores)-1)/(len(s.quantiles)-1)]
	}
	return s
}

// score is greater the stranger the text.
func (s scope) score(x signals) float64 {
	sum := 0.0
	for k, v := range x.values() {
		sum += float64((v - s.mean[k]) * s.weight[k])
	}
	return sum
}

// share is the part of texts in scope with a lower score, interpolated, so that
// it orders texts as the score does.
func (s scope) share(score float64) float64 {
	n := len(s.quantiles)
	i := sort.SearchFloat64s(s.quantiles, score)
	first, last := s.quantiles[0], s.quantiles[n-1]
	switch i {
	case 0:
		return math.Exp(score-first) / float64(2*n)
	case n:
		return 1 - math.Exp(last-score)/float64(2*n)
	}
	low, high := s.quantiles[i-1], s.quantiles[i]
	share := (float64(i-1) + (score-low)/(high-low)) / float64(n-1)
	return min(max(share, 1/float64(2*n)), 1-1/float64(2*n))
}
