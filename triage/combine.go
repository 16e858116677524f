package triage

import (
	"math"

	"tallyman/models"
)

// Hints are what is known about a label that a language model gave.
type Hints struct {
	// CodeP is the language model's probability of it among the codes offered;
	// 0 when the server gives none.
	CodeP float64
	// Embedded is the embedded model's probability of it.
	Embedded float64
	// Offered is how many labels the language model could choose from.
	Offered int
	// Votes is the share of the shown examples' weight that has this label, and
	// Shown whether there were any.
	Votes float64
	Shown bool
}

// Weights of the hints, in log odds. They are assumptions, not fitted ones: no
// provider's answers were recorded while they were written. What holds is the
// calibration on top, once people have judged enough answers.
const (
	weightCode     = 0.6
	weightEmbedded = 0.5
	weightVotes    = 1.0
	plainCodeP     = 0.75 // taken for a model that does not say
)

// AcceptLLM is the confidence from which a language model's label stands.
const AcceptLLM = 0.7

// Score is how sure the label is, before calibration: log odds of the code, of
// what the embedded model thinks more of it than of any label, and of what
// people called similar tickets.
func (h Hints) Score() float64 {
	code := h.CodeP
	if code == 0 {
		code = plainCodeP
	}
	odds := weightCode * clippedLogit(code)
	odds += weightEmbedded * (clippedLogit(h.Embedded) - clippedLogit(1/float64(max(2, h.Offered))))
	if h.Shown {
		odds += weightVotes * (2*h.Votes - 1)
	}
	return 1 / (1 + math.Exp(-odds))
}

func clippedLogit(p float64) float64 {
	p = min(max(p, 0.02), 0.98)
	return math.Log(p / (1 - p))
}

// Judgement is a score that was given and whether people agreed.
type Judgement struct {
	Score float64
	Right bool
}

// enoughJudgements is from how many on scores are calibrated; fewer say little.
const enoughJudgements = 100

// Calibration turns scores into probabilities. The zero value leaves them.
type Calibration struct {
	beta   models.Beta
	fitted bool
}

// Calibrate learns from what people said of earlier answers.
func Calibrate(judged []Judgement) (Calibration, error) {
	right := 0
	for _, j := range judged {
		right += one(j.Right)
	}
	if len(judged) < enoughJudgements || right == 0 || right == len(judged) {
		return Calibration{}, nil
	}
	margins, labels := make([]float32, len(judged)), make([]float32, len(judged))
	for i, j := range judged {
		margins[i], labels[i] = logit(j.Score), float32(one(j.Right))
	}
	beta, err := models.FitBeta(margins, labels, nil)
	return Calibration{beta, err == nil}, err
}

// Probability is the calibrated probability of a score.
func (c Calibration) Probability(score float64) float64 {
	if !c.fitted {
		return score
	}
	return c.beta.Probability(logit(score))
}
