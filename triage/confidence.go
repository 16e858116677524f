package triage

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tallyman/models"
)

// confidence turns scores into probabilities: a softmax at the temperature
// that suits texts the model was not trained on (Guo et al., ICML 2017), then
// a logistic regression on the evidence says what the greatest is worth, and
// the others share the rest. With weights on the first two terms alone it is
// beta calibration (Kull, Silva Filho and Flach, AISTATS 2017).
type confidence struct {
	sharpness float64 // inverse temperature
	intercept float64
	weights   [evidenceTerms]float64
}

// lead is how the best class leads: its score, the distance to the next, and
// for each block of features what that block adds to either. A lead that
// words, runs of characters and concepts agree on is worth more than one of
// the same size that rests on one of them.
type lead [2 + 2*blocks]float64

// evidenceTerms are ln p and -ln(1-p) of the greatest probability, and the lead.
const evidenceTerms = 2 + len(lead{})

func evidence(p float64, l lead) (terms [evidenceTerms]float64) {
	p = min(max(p, 1e-7), 1-1e-7)
	terms[0], terms[1] = math.Log(p), -math.Log1p(-p)
	copy(terms[2:], l[:])
	return terms
}

// leadOf measures the lead in a text's scores.
func (m *Model) leadOf(v vector, scores []float32) (l lead) {
	best, next := 0, -1
	for c := 1; c < len(scores); c++ {
		switch {
		case scores[c] > scores[best]:
			best, next = c, best
		case next < 0 || scores[c] > scores[next]:
			next = c
		}
	}
	l[0], l[1] = float64(scores[best]), float64(scores[best]-scores[next])
	for i, at := range v.at {
		row := m.linear.weights[int(at)*m.linear.classes:]
		x, b := float64(v.value[i]), 2+2*int(m.vocabulary.blockOf(at))
		l[b] += float64(x * float64(row[best]))
		l[b+1] += float64(x * float64(row[best]-row[next]))
	}
	return l
}

func (c confidence) probabilities(scores []float32, l lead) []float64 {
	p := softmax(scores, c.sharpness)
	best := 0
	for i := range p {
		if p[i] > p[best] {
			best = i
		}
	}
	was, odds := p[best], c.intercept
	for i, x := range evidence(was, l) {
		odds += float64(c.weights[i] * x)
	}
	now := max(1/(1+math.Exp(-odds)), 1/float64(len(p)))
	rest := 0.0
	if was < 1 {
		rest = (1 - now) / (1 - was)
	}
	for i := range p {
		p[i] = min(p[i]*rest, now)
	}
	p[best] = now
	return p
}

// confidencePenalty is on the squared weights of standardised terms: with few
// held-out texts it keeps them small.
const confidencePenalty = 1

// fitConfidence learns from what models said of texts that they did not see.
func fitConfidence(ctx context.Context, held []heldOutRow) (confidence, error) {
	c := confidence{sharpness: fitSharpness(held)}
	c.weights[0], c.weights[1] = 1, 1 // the softmax itself
	d := models.Dataset{X: models.Matrix{Rows: len(held), Cols: evidenceTerms}}
	for i := range evidenceTerms {
		d.Names = append(d.Names, fmt.Sprint("term ", i))
	}
	for _, h := range held {
		p := softmax(h.scores, c.sharpness)
		best := topClasses(p, 1)[0]
		d.Y = append(d.Y, float32(one(best == h.label)))
		for _, x := range evidence(p[best], h.lead) {
			d.X.Data = append(d.X.Data, float32(x))
		}
	}
	if !slices.Contains(d.Y, 1) || !slices.Contains(d.Y, 0) {
		return c, nil
	}
	r, err := models.FitRegression(ctx, d, confidencePenalty)
	if err != nil {
		return c, fmt.Errorf("calibration: %w", err)
	}
	intercept, weights := r.Coefficients()
	c.intercept = intercept
	copy(c.weights[:], weights)
	return c, nil
}

func softmax(scores []float32, sharpness float64) []float64 {
	p := make([]float64, len(scores))
	greatest, sum := slices.Max(scores), 0.0
	for i, s := range scores {
		p[i] = math.Exp(float64(s-greatest) * sharpness)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func logit(p float64) float32 {
	p = min(max(p, 1e-7), 1-1e-7)
	return float32(math.Log(p / (1 - p)))
}

// fitSharpness finds the inverse temperature of the least log loss, by golden
// section over its logarithm: the loss is convex in it.
func fitSharpness(held []heldOutRow) float64 {
	loss := func(log float64) float64 {
		sum := 0.0
		for _, h := range held {
			sum -= math.Log(max(softmax(h.scores, math.Exp(log))[h.label], 1e-12))
		}
		return sum
	}
	const ratio = 0.6180339887498949
	low, high := math.Log(0.1), math.Log(50)
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	fa, fb := loss(a), loss(b)
	for high-low > 0.01 {
		if fa < fb {
			high, b, fb = b, a, fa
			a = high - ratio*(high-low)
			fa = loss(a)
		} else {
			low, a, fa = a, b, fb
			b = low + ratio*(high-low)
			fb = loss(b)
		}
	}
	return math.Exp((low + high) / 2)
}
